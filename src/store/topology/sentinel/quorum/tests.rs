//! Replies of several sentinels and the consensus that follows from them.

use super::*;

const NOBODY: fn(&Address) -> bool = |_| false;

fn at(port: u16) -> Address {
    Address { host: "10.0.0.1".to_owned(), port }
}

fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn reports(master: u16, epoch: u64, replicas: &[u16]) -> MasterReply {
    let replicas = replicas.iter().map(|port| Replica { address: at(*port), down_for: None }).collect();
    MasterReply::Report(MasterReport { master: at(master), epoch, replicas })
}

fn reports_down(master: u16, replica: u16, down_for: Duration) -> MasterReply {
    let replicas = vec![Replica { address: at(replica), down_for: Some(down_for) }];
    MasterReply::Report(MasterReport { master: at(master), epoch: 0, replicas })
}

fn quorum(replies: impl IntoIterator<Item = MasterReply>) -> SentinelQuorum {
    let replies: Vec<MasterReply> = replies.into_iter().collect();
    let mut quorum = SentinelQuorum::new(replies.len());
    replies.into_iter().enumerate().for_each(|(sentinel, reply)| quorum.record(sentinel, reply));
    quorum
}

fn master(quorum: &mut SentinelQuorum, now: Instant) -> Option<u16> {
    quorum.consensus(now, NOBODY)?.master.map(|address| address.port)
}

fn nodes(quorum: &mut SentinelQuorum, now: Instant) -> Vec<u16> {
    let nodes = quorum.consensus(now, NOBODY).and_then(|consensus| consensus.nodes).expect("nodes are reported");
    nodes.iter().map(|address| address.port).collect()
}

#[tokio::test]
async fn the_highest_epoch_wins_over_stale_sentinels() {
    let now = Instant::now();
    let mut quorum = quorum([reports(1, 3, &[2]), reports(2, 4, &[1]), reports(1, 3, &[2])]);
    assert_eq!(master(&mut quorum, now), Some(2));
    // The sentinel with the newer epoch is lost. The others have a majority, but the consensus has not expired.
    quorum.record_unreachable(1);
    assert_eq!(master(&mut quorum, now + secs(1)), Some(2));
    assert_eq!(quorum.consensus(now + secs(1), NOBODY).expect("a consensus").nodes, None);
}

#[tokio::test]
async fn a_lower_epoch_wins_once_the_consensus_has_expired_and_a_majority_agrees() {
    let now = Instant::now();
    let mut quorum = quorum([reports(2, 9, &[]), reports(2, 9, &[]), reports(2, 9, &[])]);
    assert_eq!(master(&mut quorum, now), Some(2));
    quorum.record(0, reports(1, 0, &[]));
    quorum.record_unreachable(1);
    quorum.record_unreachable(2);
    // One of three sentinels is no majority; but the consensus expires because no sentinel reports it any more.
    assert_eq!(master(&mut quorum, now + secs(9)), Some(2));
    assert_eq!(master(&mut quorum, now + secs(11)), None);
    quorum.record(1, reports(1, 0, &[]));
    assert_eq!(master(&mut quorum, now + secs(12)), Some(1));
}

#[tokio::test]
async fn the_first_consensus_waits_for_a_majority_or_for_all_reachable_sentinels() {
    let now = Instant::now();
    let mut quorum = SentinelQuorum::new(3);
    quorum.record(0, reports(1, 0, &[]));
    assert_eq!(quorum.consensus(now, NOBODY), None);
    quorum.record_unreachable(1);
    assert_eq!(quorum.consensus(now, NOBODY), None);
    quorum.record(2, reports(2, 1, &[]));
    assert_eq!(master(&mut quorum, now), Some(2));
    let mut quorum = SentinelQuorum::new(3);
    quorum.record(0, reports(1, 0, &[]));
    quorum.record(1, reports(1, 0, &[]));
    assert_eq!(master(&mut quorum, now), Some(1));
}

#[tokio::test]
async fn two_masters_of_one_epoch_do_not_alternate() {
    let now = Instant::now();
    let mut quorum = quorum([reports(1, 0, &[]), reports(1, 0, &[]), reports(2, 0, &[])]);
    assert_eq!(master(&mut quorum, now), Some(1));
    quorum.record_unreachable(0);
    assert_eq!(master(&mut quorum, now), Some(1));
    quorum.record_unreachable(1);
    assert_eq!(master(&mut quorum, now), Some(2));
    quorum.record(1, reports(1, 0, &[]));
    assert_eq!(master(&mut quorum, now), Some(2));
}

#[tokio::test]
async fn the_consensus_and_its_nodes_are_kept_while_no_sentinel_answers() {
    let now = Instant::now();
    let mut quorum = quorum([reports(1, 0, &[2, 3])]);
    assert_eq!(nodes(&mut quorum, now), [1, 2, 3]);
    quorum.record_unreachable(0);
    assert_eq!(master(&mut quorum, now + secs(1)), Some(1));
    assert_eq!(master(&mut quorum, now + secs(60)), None);
    // The restarted sentinel does not know the replicas yet.
    quorum.record(0, reports(1, 0, &[]));
    assert_eq!(nodes(&mut quorum, now + secs(61)), [1, 2, 3]);
    assert_eq!(master(&mut quorum, now + secs(61)), Some(1));
}

#[tokio::test]
async fn a_replica_that_stays_down_is_dropped() {
    let now = Instant::now();
    let mut quorum = quorum([reports_down(1, 2, secs(3)), reports_down(1, 3, secs(100))]);
    assert_eq!(nodes(&mut quorum, now), [1, 2]);
    quorum.record(0, reports_down(1, 2, secs(11)));
    assert_eq!(nodes(&mut quorum, now + secs(2)), [1, 2]);
    for later in 3..8 {
        nodes(&mut quorum, now + secs(later));
    }
    assert_eq!(nodes(&mut quorum, now + secs(8)), [1]);
    // The service itself is connected to the replica, whatever the sentinels report.
    let consensus = quorum.consensus(now + secs(9), |address| address.port == 3).expect("a consensus");
    assert_eq!(consensus.nodes, Some(vec![at(1), at(3)]));
}

#[tokio::test]
async fn a_replica_stays_while_one_sentinel_names_it() {
    let now = Instant::now();
    let mut quorum = quorum([reports(1, 0, &[2]), reports(1, 0, &[2, 3])]);
    assert_eq!(nodes(&mut quorum, now), [1, 2, 3]);
    quorum.record(1, reports(1, 0, &[2]));
    for later in 1..10 {
        assert_eq!(nodes(&mut quorum, now + secs(later)), [1, 2, 3]);
    }
    assert_eq!(nodes(&mut quorum, now + secs(11)), [1, 2]);
}

#[tokio::test]
async fn a_name_is_unknown_if_no_sentinel_knows_it() {
    assert!(quorum([MasterReply::UnknownName, MasterReply::UnknownName]).name_is_unknown());
    assert!(!quorum([MasterReply::UnknownName, reports(1, 0, &[])]).name_is_unknown());
    assert_eq!(quorum([MasterReply::Error("no".to_owned())]).reply_error(), Some("no"));
    assert_eq!(quorum([MasterReply::Error("no".to_owned()), reports(1, 0, &[])]).reply_error(), None);
}
