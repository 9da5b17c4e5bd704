//! Views that agree and views that contradict each other.

use super::*;

fn bulk(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

fn entry(start: i64, end: i64, nodes: Vec<Value>) -> Value {
    Value::Array([Value::Int(start), Value::Int(end)].into_iter().chain(nodes).collect())
}

fn address_of(host: &str, port: u16) -> Address {
    Address { host: host.to_owned(), port }
}

fn node(host: Value, port: i64, id: &str) -> Value {
    Value::Array(vec![host, Value::Int(port), bulk(id), Value::Array(Vec::new())])
}

fn at(port: u16) -> Address {
    Address { host: "h".to_owned(), port }
}

fn claim(slots: SlotRange, master: u16, epoch: u64, from_master: bool) -> Claim {
    Claim { slots, master: at(master), replicas: Vec::new(), master_id: String::new(), epoch, from_master }
}

#[test]
fn cluster_slots_is_parsed_whether_or_not_nodes_know_their_hosts() {
    let asked = Address { host: "asked".to_owned(), port: 1 };
    let named = Value::Map(vec![(bulk("ip"), bulk("10.0.0.4"))]);
    let nameless = Value::Array(vec![bulk("?"), Value::Int(7004), bulk("d"), named]);
    let answer = Value::Array(vec![
        entry(0, 99, vec![node(bulk(""), 7001, "a"), node(bulk("10.0.0.2"), 7002, "b")]),
        entry(100, 16_383, vec![node(Value::Nil, 7003, "c"), nameless]),
    ]);
    let claims = parse_slots(&answer, &asked).expect("claims");
    assert_eq!((&claims[0].slots, &claims[0].master), (&(0..=99), &address_of("asked", 7001)));
    assert_eq!(claims[0].replicas, [address_of("10.0.0.2", 7002)]);
    assert_eq!((&claims[1].master, &*claims[1].master_id), (&address_of("asked", 7003), "c"));
    assert_eq!(claims[1].replicas, [address_of("10.0.0.4", 7004)]);
    for wrong in [Value::Nil, Value::Array(vec![Value::Nil]), Value::Array(vec![entry(5, 16_384, vec![])])] {
        assert_eq!(parse_slots(&wrong, &asked), None);
    }
}

#[test]
fn epochs_and_unreadable_replicas_come_from_cluster_nodes() {
    let mut claims = vec![claim(0..=1, 1, 0, false), claim(2..=3, 2, 0, false)];
    (claims[0].master_id, claims[1].master_id) = ("aa".to_owned(), "bb".to_owned());
    let nodes = "aa 10.0.0.1:1@10001,name myself,master - 0 1426238317239 7 connected 0-1\n\
                 bb 10.0.0.2:2@10002 master - 0 1426238316232 2 connected 2-3\n\
                 cc 10.0.0.3:3@10003 slave aa 0 1426238316232 7 connected\n";
    claims[0].master.host = "10.0.0.1".to_owned();
    add_cluster_nodes(&mut claims, &bulk(nodes), &at(9));
    assert_eq!((claims[0].epoch, claims[0].from_master, claims[1].epoch, claims[1].from_master), (7, true, 2, false));
    assert_eq!(claims[0].replicas, [Address { host: "10.0.0.3".to_owned(), port: 3 }]);
    assert_eq!(claims[1].replicas, []);

    // The cluster addresses nodes by their host names, or has no hosts at all.
    for (called, replica) in [("name", "other"), ("h", "h")] {
        let mut claims = vec![Claim { master_id: "aa".to_owned(), ..claim(0..=1, 1, 0, false) }];
        claims[0].master.host = called.to_owned();
        let nodes = nodes.replace("10.0.0.3:3@10003", "10.0.0.3:3@10003,other,shard-id=1");
        add_cluster_nodes(&mut claims, &bulk(&nodes), &at(9));
        assert_eq!(claims[0].replicas, [Address { host: replica.to_owned(), port: 3 }]);
    }
}

#[test]
fn the_newest_claim_to_a_slot_wins_in_any_order_of_views() {
    // Node 1 was master of 0-99 until 2 was promoted; 3 then got slot 99. The view of 1 is older than both changes.
    let outdated = vec![claim(0..=99, 1, 1, true), claim(100..=199, 3, 5, false)];
    let promoted = vec![claim(0..=99, 2, 4, true), claim(100..=199, 3, 3, false)];
    let third = vec![claim(0..=98, 2, 4, false), claim(99..=199, 3, 5, true)];
    let expected = vec![
        ClusterShard { master: at(2), replicas: Vec::new(), slots: vec![0..=98] },
        ClusterShard { master: at(3), replicas: Vec::new(), slots: vec![99..=199] },
    ];
    assert_eq!(agree(&[outdated.clone(), promoted.clone(), third.clone()]), expected);
    assert_eq!(agree(&[third, outdated, promoted]), expected);
}

#[test]
fn the_masters_own_claim_wins_among_claims_of_one_epoch() {
    let outdated = Claim { replicas: vec![at(2)], ..claim(0..=9, 1, 1, false) };
    let own = Claim { replicas: vec![at(3), at(4)], ..claim(0..=9, 1, 1, true) };
    let agreed = agree(&[vec![outdated], vec![own]]);
    assert_eq!(agreed, [ClusterShard { master: at(1), replicas: vec![at(3), at(4)], slots: vec![0..=9] }]);
    assert_eq!(agreed[0].addresses(), [at(1), at(3), at(4)]);
}

#[test]
fn a_node_with_slots_is_no_replica() {
    let old = Claim { replicas: vec![at(2), at(3)], ..claim(0..=9, 1, 1, false) };
    let layout = agree(&[vec![old, claim(10..=19, 2, 2, true)]]);
    assert_eq!(layout[0].replicas, [at(3)]);
}

#[test]
fn a_node_names_the_slots_that_it_moves() {
    let nodes = "id1 10.0.0.1:7001@17001 master - 0 0 1 connected 0-99 [98-<-id2]\n\
                 id2 10.0.0.2:7002@17002 myself,master - 0 0 2 connected 100-16383 [93-<-id1] [77->-id1]\n";
    assert_eq!(moving_slots(&bulk(nodes)), [93, 77]);
    assert!(moving_slots(&bulk("id 10.0.0.2:7002@17002 myself,master - 0 0 2 connected 5-9")).is_empty());
    assert!(moving_slots(&Value::Nil).is_empty());
}
