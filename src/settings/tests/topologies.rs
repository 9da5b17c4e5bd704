//! Tests of topologies.

use super::{check, problems};
use crate::{
    ring::Weight,
    settings::{SentinelShardConfig, Topology},
};

const REDIS: &str = "[service]
JWT_SECRET_KEY=jFh8s0d8fh2lq9kdjKJH7gYt5Rr4uuuu
SRVC_SHARED_SECRET=dkfj3094jfdlkj2340fj
[redis]
";

#[test]
fn a_sentinel_topology_needs_no_nodes() {
    let text = format!(
        "{REDIS}sentinels=10.0.0.1:26379, 10.0.0.2:26379\nsentinel_password=of-the-sentinels\n[shard:a]\nsentinel_master=mymaster\nweight=2\n"
    );
    let settings = check(&text, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(settings.to_string().contains("the sentinels' master mymaster"), "{settings}");
    let Topology::Sentinel(sentinels) = settings.topology else { panic!("{:?}", settings.topology) };
    assert_eq!(sentinels.addresses.len(), 2);
    let shard =
        SentinelShardConfig { name: "a".to_owned(), weight: Weight::whole(2), master_name: "mymaster".to_owned() };
    assert_eq!(sentinels.shards, [shard]);
}

/// Expects exactly one problem that starts with `expected`.
fn expect_problem(text: &str, expected: &str) {
    let found = problems(&format!("{REDIS}{text}"), &[]);
    assert!(found.len() == 1 && found[0].starts_with(expected), "{text}: {found:#?}");
}

#[test]
fn topologies_cannot_be_mixed() {
    expect_problem("sentinels=h:1\n", "[redis] sentinels ");
    expect_problem("sentinels=h:1\nhost=h\n[shard:a]\nsentinel_master=m\n", "[redis] host ");
    expect_problem("sentinels=h:1\n[shard:a]\nsentinel_master=m\nmaster=h:2\n", "[shard:a] master ");
    expect_problem("sentinels=h:1\n[shard:a]\nweight=1\n", "[shard:a] sentinel_master ");
    expect_problem("sentinels=h:1\ncluster=h:2\n[shard:a]\nsentinel_master=m\n", "[redis] cluster");
    expect_problem("sentinels=,\n[shard:a]\nsentinel_master=m\n", "[redis] sentinels names no address");
    expect_problem("cluster= , \n", "[redis] cluster names no address");
    expect_problem("cluster=h:1, h:1\n", "[redis] cluster: h:1 is listed twice");
    expect_problem(
        "sentinels=h:1\n[shard:a]\nsentinel_master=m\n[shard:b]\nsentinel_master=m\n",
        "[redis] sentinels: \"m\"",
    );
    expect_problem("sentinels=h:1\nsentinel_username=u\n[shard:a]\nsentinel_master=m\n", "[redis] sentinel_password ");
    expect_problem("cluster=h:1\ndb=1\n", "[redis] db");
    expect_problem("cluster=h:1\n[shard:a]\nmaster=h:2\n", "[redis] cluster");
    expect_problem("cluster=h:1\nreplicas=h:2\n", "[redis] replicas ");
    expect_problem("sentinel_password=s\n", "[redis] sentinel_password ");
    expect_problem("[shard:a]\nmaster=h:2\nsentinel_master=m\n", "[shard:a] sentinel_master ");
}
