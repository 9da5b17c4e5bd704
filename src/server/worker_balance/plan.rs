//! The decision which worker gives a connection to which other one.

use std::ops::RangeInclusive;

/// Least share of its time that a worker is busy before it gives connections away. Below that, requests hardly wait for each
/// other.
const BUSY_MIN: f64 = 0.5;
/// Least difference between the shares of two workers.
const SKEW_MIN: f64 = 0.3;
/// Number of windows that a skew has to last.
const WINDOWS_MIN: u32 = 2;
/// Largest part of the difference that a connection may take along. A larger one would make the other worker the busier one.
const PART_MAX: f64 = 0.75;
/// Smallest part of a worker's requests that a connection has to have, so that moving it is worth while.
const PART_MIN: f64 = 0.02;

/// The load of a worker in a window.
#[derive(Clone, Copy)]
pub struct WorkerWindow {
    /// The share of the time that the worker was busy, from 0 to 1.
    pub busy: f64,
    /// The number of requests that its lanes answered.
    pub requests: u64,
}

/// A connection is to change its worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Move {
    /// The worker that it leaves.
    pub from: usize,
    /// The worker that it joins.
    pub to: usize,
    /// The number of requests that it has to have answered in the window.
    pub requests: RangeInclusive<u64>,
}

/// The skew of the last windows.
#[derive(Default)]
pub struct Skew {
    /// The busiest worker, while there is a skew.
    from: Option<usize>,
    /// The number of windows for which it has been that.
    windows: u32,
}

impl Skew {
    /// Returns the move that the last window, and those before, call for.
    pub fn next_move(&mut self, workers: &[WorkerWindow]) -> Option<Move> {
        let planned = plan(workers);
        let from = planned.as_ref().map(|planned| planned.from);
        self.windows = if from.is_some() && from == self.from { self.windows + 1 } else { 1 };
        self.from = from;
        planned.filter(|_| self.windows >= WINDOWS_MIN)
    }
}

fn plan(workers: &[WorkerWindow]) -> Option<Move> {
    let by_load =
        |(_, one): &(usize, &WorkerWindow), (_, other): &(usize, &WorkerWindow)| one.busy.total_cmp(&other.busy);
    let (from, busiest) = workers.iter().enumerate().max_by(by_load)?;
    let (to, idlest) = workers.iter().enumerate().min_by(by_load)?;
    let skew = busiest.busy - idlest.busy;
    if busiest.busy < BUSY_MIN || skew < SKEW_MIN {
        return None;
    }
    let part_max = skew / busiest.busy * PART_MAX;
    Some(Move { from, to, requests: part(busiest.requests, PART_MIN).max(1)..=part(busiest.requests, part_max) })
}

/// Returns a part of a number.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the requests of a fifth of a second, and parts from 0 to 1"
)]
fn part(number: u64, part: f64) -> u64 {
    (number as f64 * part) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workers(loads: &[(f64, u64)]) -> Vec<WorkerWindow> {
        loads.iter().map(|(busy, requests)| WorkerWindow { busy: *busy, requests: *requests }).collect()
    }

    #[test]
    fn a_skew_that_lasts_moves_a_connection_from_the_busiest_to_the_idlest() {
        let (mut skew, skewed) = (Skew::default(), workers(&[(0.4, 400), (0.9, 1000), (0.3, 300)]));
        assert_eq!(skew.next_move(&skewed), None, "it may pass");
        let planned = Move { from: 1, to: 2, requests: 20..=500 };
        assert_eq!(skew.next_move(&skewed), Some(planned.clone()));
        assert_eq!(skew.next_move(&skewed), Some(planned));
        assert_eq!(
            skew.next_move(&workers(&[(0.9, 900), (0.1, 10), (0.3, 300)])),
            None,
            "another worker is the busiest"
        );
        assert_eq!(skew.next_move(&workers(&[(0.6, 600), (0.6, 600), (0.5, 300)])), None);
        assert_eq!(skew.next_move(&skewed), None, "the skew has passed meanwhile");
    }

    #[test]
    fn nothing_moves_while_the_workers_are_alike_or_have_time() {
        let mut skew = Skew::default();
        for loads in [&[(0.9, 900), (0.7, 700)][..], &[(0.45, 400), (0.0, 0)], &[(1.0, 900)], &[]] {
            assert!((0..3).all(|_| skew.next_move(&workers(loads)).is_none()), "{loads:?}");
        }
    }

    #[test]
    fn the_only_busy_connection_of_a_worker_stays() {
        let mut skew = Skew::default();
        let lone = workers(&[(1.0, 1000), (0.0, 0)]);
        skew.next_move(&lone);
        let planned = skew.next_move(&lone).expect("there is a skew");
        assert!(!planned.requests.contains(&1000), "it would only make the other worker busy");
    }
}
