//! Slots that move from one shard to another: key after key, and then the slot itself.

use super::slot_of;
use crate::{
    redis::{Applied, CHANGE_BYTES, Change},
    truth::{MIGRATION, NEWS_OF_MOVE},
    world::{Ms, World},
};

/// The longest time until a node hears of a slot that has moved.
const NEWS_MAX: Ms = 150;

/// A slot on its way.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    pub slot: usize,
    pub source: usize,
    pub target: usize,
    pub began: Ms,
}

impl World {
    /// Returns the shard that has a slot, as its master knows it.
    pub fn owner_of(&self, slot: usize) -> Option<usize> {
        let master = self.master(0);
        self.nodes[master].cluster.as_ref().map(|cluster| cluster.view.owner(slot))
    }

    /// Makes the target expect a slot (`CLUSTER SETSLOT … IMPORTING`).
    pub fn begin_import(&mut self, Migration { slot, source, target, .. }: Migration) {
        self.note(&format!("slot {slot} begins to move from shard {source} to shard {target}"));
        let master = self.master(target);
        self.in_cluster(master).importing.insert(slot);
    }

    /// Makes the source give a slot away (`CLUSTER SETSLOT … MIGRATING`).
    pub fn begin_migration(&mut self, Migration { slot, source, target, .. }: Migration) {
        let master = self.master(source);
        self.in_cluster(master).migrating.insert(slot, target);
        let keys: Vec<String> = self.truth.keys.iter().filter(|key| slot_of(key) == slot).cloned().collect();
        self.truth.departures.extend(keys.into_iter().map(|key| (key, source, self.now)));
    }

    /// Makes the source refuse commands on a slot for a time.
    pub fn refuse_slot(&mut self, Migration { slot, source, .. }: Migration, duration: Ms) {
        let master = self.master(source);
        self.in_cluster(master).tries_again = Some(slot);
        self.after(duration, move |world| world.in_cluster(master).tries_again = None);
    }

    /// Moves the keys of a slot that exist (`MIGRATE`).
    pub fn migrate_keys(&mut self, Migration { slot, source, target, .. }: Migration) {
        let (from, to, now) = (self.master(source), self.master(target), self.now);
        let keys = self.nodes[from].data.values.keys().filter(|key| slot_of(key) == slot).cloned();
        for key in keys.collect::<Vec<_>>() {
            let found = self.nodes[from].data.value(&key, now).cloned();
            let Some(Change { value, expires_at, .. }) = found else { continue };
            self.note(&format!("{key} moves to shard {target}"));
            let arrived = Change { key: key.clone(), value, expires_at, instance: MIGRATION };
            self.change_at(to, arrived);
            let end = self.nodes[to].data.offset;
            self.truth.move_key(&key, target, now, end, Some((now, end)));
            self.change_at(from, Change { key, value: None, expires_at: None, instance: MIGRATION });
        }
    }

    fn change_at(&mut self, node: usize, change: Change) {
        let (time, end) = (self.now, self.nodes[node].data.offset + CHANGE_BYTES);
        self.apply(node, &Applied { change: Some(change), time, end });
    }

    /// Gives a slot to its new owner (`CLUSTER SETSLOT … NODE`): first to the target, then to the source, and later to
    /// all others.
    pub fn finish_migration(&mut self, migration: Migration) {
        let Migration { slot, source, target, began } = migration;
        self.note(&format!("slot {slot} has moved from shard {source} to shard {target}"));
        let epoch = self.truth.next_id() + 1;
        let (from, to, now) = (self.master(source), self.master(target), self.now);
        let keys: Vec<String> = self.truth.keys.iter().filter(|key| slot_of(key) == slot).cloned().collect();
        // A near cache asks no node, so that its instance learns of the move only when it looks at the cluster again.
        let news = if self.truth.has_near_cache { NEWS_OF_MOVE } else { NEWS_MAX };
        for key in keys {
            let since = self.nodes[to].data.offset + 1;
            self.truth.move_key(&key, target, now, since, None);
            self.truth.sources.push((key, source, (began, now + news)));
        }
        for node in 0..self.nodes.len() {
            let latest = match node {
                _ if node == to => 0,
                _ if node == from => 30,
                _ => NEWS_MAX,
            };
            let delay = self.nodes[node].rng.range((0, latest));
            self.tell_later(to, node, delay, move |world| world.hear_of_slot(node, slot, (target, epoch)));
        }
    }

    /// Takes the claim of a slot.
    pub fn hear_of_slot(&mut self, node: usize, slot: usize, claim: (usize, u64)) {
        let Some(cluster) = self.nodes[node].cluster.as_mut() else { return };
        if cluster.view.moved.get(&slot).is_none_or(|known| known.1 < claim.1) {
            cluster.view.moved.insert(slot, claim);
            cluster.migrating.remove(&slot);
            cluster.importing.remove(&slot);
        }
    }

    /// Records that a client changes a key at a node that gets the slot: from now on the key is there.
    pub fn record_import(&mut self, node: usize, key: &str) {
        let is_imported = self.nodes[node].cluster.as_ref().is_some_and(|it| it.importing.contains(&slot_of(key)));
        if is_imported {
            let end = self.nodes[node].data.offset + CHANGE_BYTES;
            self.truth.move_key(key, self.nodes[node].shard, self.now, end, Some((self.now, end)));
        }
    }
}
