//! The queue for a node's answers: how many commands may wait for them, and how long they take.

use super::{Node, connection::OpenConnection};
use crate::{
    store::error::NodeError,
    telemetry::{metrics::Label, traces},
};
use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};
use tracing::{Instrument, Span};

impl Node {
    /// Asks over a connection, within the queue's limit, and notes how long it took.
    pub(super) async fn with_in_flight_permit<T>(
        &self,
        session: Result<Arc<OpenConnection>, NodeError>,
        commands: usize,
        ask: impl AsyncFnOnce(&OpenConnection) -> Result<T, NodeError>,
    ) -> Result<T, NodeError> {
        let asked = async {
            let session = session?;
            let _place = self.acquire_in_flight(commands)?;
            let start = Instant::now();
            let answer = ask(&session).await;
            self.durations.observe(start.elapsed());
            answer
        };
        let mut asked = pin!(asked.instrument(traces::node(&self.address, commands)));
        let answer = asked.as_mut().await;
        self.record_outcome(asked.span(), answer.as_ref().err());
        answer
    }

    /// Counts what came of asking, and notes it in the trace.
    pub(super) fn record_outcome(&self, span: &Span, failed: Option<&NodeError>) {
        let failure = failed.map(NodeError::kind);
        if let Some(failure) = failure {
            self.failures.count(failure);
        }
        traces::end(span, failure.map_or("success", Label::name), failure.is_some());
    }

    /// Commands that wait for its answers.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// Takes places in the queue for the node's answers.
    pub(super) fn acquire_in_flight(&self, commands: usize) -> Result<InFlightPermit<'_>, NodeError> {
        let before = self.in_flight.fetch_add(commands, Relaxed);
        let place = InFlightPermit { node: self, commands };
        // A batch that is larger than the whole queue may pass when it is alone.
        if before > 0 && before + commands > self.in_flight_max { Err(NodeError::Busy) } else { Ok(place) }
    }
}

pub(super) struct InFlightPermit<'a> {
    node: &'a Node,
    commands: usize,
}

impl Drop for InFlightPermit<'_> {
    fn drop(&mut self) {
        self.node.in_flight.fetch_sub(self.commands, Relaxed);
    }
}
