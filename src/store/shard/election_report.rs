//! The lines of the log and the events that tell what an election found.

use super::{redis_shard::Shard, standing::MasterStanding};
use crate::{telemetry::events::EventKind, types::Address};

impl Shard {
    /// Reports a new standing of the master. `masters` are the nodes that call themselves master, and `successor` is the
    /// announced one.
    pub(super) fn report_standing(
        &self,
        standing: MasterStanding,
        master: &Address,
        masters: &[&Address],
        successor: Option<&Address>,
    ) {
        let shard = self.name();
        let (kind, text) = match standing {
            MasterStanding::Accepted => {
                tracing::info!(shard = &*shard, %master, "writes of shard \"{shard}\" go to {master} again");
                (EventKind::MasterAccepted, format!("shard {shard}: writes go to {master} again"))
            }
            MasterStanding::Contested => {
                let (number, masters) = listed(masters);
                tracing::warn!(
                    shard = &*shard,
                    masters,
                    "{number} nodes of shard \"{shard}\" call themselves master, {masters}, and nothing proves which of them \
                     was promoted last: writes and strict reads are refused until one of them is demoted (REPLICAOF HOST \
                     PORT) or stopped"
                );
                let text = "and neither is proven; writes are refused";
                (
                    EventKind::SplitBrain,
                    format!("shard {shard}: {number} nodes call themselves master, {masters}, {text}"),
                )
            }
            MasterStanding::Deposed => {
                let successor = successor.map_or_else(|| "another node".to_owned(), ToString::to_string);
                tracing::warn!(
                    shard = &*shard, %master, successor,
                    "{successor} was announced as the master of shard \"{shard}\" in place of {master}, and does not answer: \
                     writes and strict reads are refused until it does, or another node is announced"
                );
                let text = format!("{successor} was announced as the master, and does not answer; writes are refused");
                (EventKind::MasterDeposed, format!("shard {shard}: {text}"))
            }
            MasterStanding::Held => {
                tracing::error!(
                    shard = &*shard, %master,
                    "master {master} of shard \"{shard}\" came back without data that its replicas have: writes are \
                     refused and replicas answer the reads; promote a replica to keep the data (REPLICAOF NO ONE)"
                );
                let text = format!("master {master} came back without data that its replicas have; writes are refused");
                (EventKind::MasterHeld, format!("shard {shard}: {text}"))
            }
        };
        self.events().record(kind, text);
    }

    /// Reports that several nodes call themselves master. `is_first_used` is true if writes go to the first one, and false
    /// if to none of them.
    pub(super) fn report_split_brain(&self, masters: &[&Address], is_first_used: bool) {
        let shard = self.name();
        let effect = match masters.first().filter(|_| is_first_used) {
            Some(master) => format!("writes go to {master}, and those of others to another one are lost"),
            None => "none of them is proven to have taken over; writes are refused".to_owned(),
        };
        let (number, masters) = listed(masters);
        tracing::warn!(
            shard = &*shard,
            masters,
            "{number} nodes of shard \"{shard}\" call themselves master, {masters}: {effect}; make one of them a replica of \
             the other (REPLICAOF HOST PORT)"
        );
        let text = format!("shard {shard}: {number} nodes call themselves master, {masters}; {effect}");
        self.events().record(EventKind::SplitBrain, text);
    }

    /// Reports that a node calls itself master without proof, while the listed master is down.
    pub(super) fn report_candidate(&self, candidate: &Address, master: &Address) {
        let (shard, hold_secs) = (self.name(), self.hold_time.as_secs());
        tracing::error!(
            shard = &*shard, %candidate, %master,
            "master {master} of shard \"{shard}\" is down, and {candidate} calls itself master without proof that it took \
             over: writes are refused for {hold_secs} s (master_hold_secs), so that a replica with more data can be promoted \
             (REPLICAOF NO ONE)"
        );
        let text =
            format!("master {master} is down, and {candidate} calls itself master without proof; writes are refused");
        self.events().record(EventKind::MasterHeld, format!("shard {shard}: {text}"));
    }

    /// Reports that writes go to another node now. `is_unproven` is true for a node that is used only because its time as a
    /// candidate is up.
    pub(super) fn report_promotion(&self, old: &Address, new: &Address, is_unproven: bool) {
        let shard = self.name();
        let reason = if is_unproven { ", which is down, and no other node was promoted" } else { "" };
        tracing::warn!(
            shard = &*shard, %old, %new,
            "writes of shard \"{shard}\" go to {new} now, no longer to {old}{reason}"
        );
        let text = format!("shard {shard}: writes go to {new} now, no longer to {old}{reason}");
        self.events().record(EventKind::Promotion, text);
    }
}

/// Returns the number of the nodes as a word, and their addresses as one text.
fn listed(nodes: &[&Address]) -> (String, String) {
    let number = if nodes.len() == 2 { "two".to_owned() } else { nodes.len().to_string() };
    (number, nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "))
}
