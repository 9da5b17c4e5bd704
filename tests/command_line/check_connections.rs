//! `cachefront check-config --connect`, with real Redis, a real sentinel and a real node of a cluster.

use crate::local_redis::{Layout, RedisGroup, RedisProcess};
use crate::{Setup, run};

const HOST: &str = "127.0.0.1";

fn redis(replicas: usize) -> RedisGroup {
    RedisGroup::start(&Layout { replicas, ..Layout::default() }).expect("Redis starts")
}

/// Starts a sentinel that monitors the group's master under the name `main`.
fn sentinel(group: &RedisGroup) -> RedisProcess {
    let master = group.master(0).address.port;
    let arguments = |port: u16| {
        let config = group.folder().join(format!("sentinel-{port}.conf"));
        let text = format!("port {port}\nbind {HOST}\nprotected-mode no\nsentinel monitor main {HOST} {master} 1\n");
        std::fs::write(&config, text)?;
        Ok(vec![config.display().to_string(), "--sentinel".to_owned()])
    };
    group.start_node((HOST, None), &arguments).expect("the sentinel starts")
}

/// Starts a node of a Redis Cluster that has all slots, or none.
fn cluster_node(group: &RedisGroup, has_slots: bool) -> RedisProcess {
    let arguments = |port: u16| {
        let bus = crate::local_redis::free_port(HOST)?.to_string();
        let own = ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-config-file"];
        let own = own.into_iter().map(str::to_owned).chain([format!("nodes-{port}.conf")]);
        Ok(group.usual_arguments(port).into_iter().chain(own).collect())
    };
    let node = group.start_node((HOST, None), &arguments).expect("the node starts");
    if has_slots {
        assert_eq!(node.ask("CLUSTER ADDSLOTSRANGE 0 16383").expect("an answer"), "+OK");
        crate::eventually("the cluster is up", || {
            node.ask("CLUSTER INFO").ok()?.contains("cluster_state:ok").then_some(())
        });
    }
    node
}

fn check(sections: &str) -> (i32, String, String) {
    let setup = Setup::new(sections);
    run(&["check-config", "--connect", "--config", setup.path()])
}

#[test]
fn sound_connections_are_reported_and_exit_with_0() {
    let group = redis(1);
    let (master, replica) = (&group.master(0).address, &group.replicas(0)[0].address);
    let (status, out, err) = check(&format!("[shard:a]\nmaster={master}\nreplicas={replica}\n"));
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    for (address, purpose, role) in
        [(master, "master of shard \"a\"", "master"), (replica, "replica of shard \"a\"", "replica")]
    {
        let row = out.lines().find(|line| line.starts_with(&address.to_string())).unwrap_or_else(|| panic!("{out}"));
        for word in [purpose, role, "standalone", "redis ", "ok"] {
            assert!(row.contains(word), "{row} lacks {word}");
        }
    }
    assert_eq!(group.master(0).ask("DBSIZE").expect("an answer"), ":0", "nothing is stored");

    let sentinel = sentinel(&group);
    let (status, out, err) =
        check(&format!("[redis]\nsentinels={}\n[shard:a]\nsentinel_master=main\n", sentinel.address));
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    assert!(out.contains(&master.to_string()) && out.contains("sentinel  "), "{out}");

    let node = cluster_node(&group, true);
    let (status, out, err) = check(&format!("[redis]\ncluster={}\n", node.address));
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("seed of the cluster") && out.contains("  cluster  "), "{out}");
}

#[test]
fn all_problems_of_the_connections_are_reported_and_exit_with_78() {
    let group = redis(0);
    let (node, master) = (cluster_node(&group, false), &group.master(0).address);
    let sentinel = sentinel(&group);
    let rule = "ACL SETUSER limited on >users-password ~* -@all +get +set +unlink +info +ping +pttl +getex +expire \
                +persist +exists +del +incrby +time +eval +client|tracking";
    assert_eq!(group.master(0).ask(rule).expect("an answer"), "+OK");
    for process in [&node, &sentinel] {
        assert_eq!(process.ask("ACL SETUSER limited on >users-password ~* +@all").expect("an answer"), "+OK");
    }
    let (sentinel, node) = (&sentinel.address, &node.address);
    let (status, out, err) = check(&format!(
        "[redis]\nusername=limited\npassword=users-password\nconnect_timeout_ms=2000\n\
         [shard:a]\nmaster={master}\nreplicas={HOST}:1\n[shard:b]\nmaster={sentinel}\n[shard:c]\nmaster={node}\n"
    ));
    assert_eq!(status, 78, "{out}");
    for problem in [
        format!("{master} (master of shard \"a\"): the user lacks the permissions +wait +client|caching"),
        format!("{HOST}:1 (replica of shard \"a\"): it cannot be reached: Connection refused"),
        format!("{sentinel} (master of shard \"b\"): it is a sentinel, which holds no keys"),
        format!("{node} (master of shard \"c\"): it is a node of a Redis Cluster"),
        "the connections have 4 problems:".to_owned(),
    ] {
        assert!(err.contains(&problem), "{err} lacks {problem}");
    }
    assert!(!err.contains("users-password") && !out.contains("users-password"));

    let (status, _, err) =
        check(&format!("[redis]\nusername=limited\npassword=wrong-password\n[shard:a]\nmaster={master}\n"));
    assert!(status == 78 && err.contains("it answered WRONGPASS"), "{err}");
    let (status, _, err) =
        check(&format!("[redis]\nsentinels={master}, {sentinel}\n[shard:a]\nsentinel_master=other\n"));
    assert_eq!(status, 78);
    assert!(err.contains(&format!("{master} (sentinel): it is a node with keys, not a sentinel")), "{err}");
    assert!(err.contains(&format!("{sentinel} (sentinel): it knows no master \"other\"")), "{err}");
    let (status, _, err) = check(&format!("[redis]\ncluster={master}, {node}\n"));
    assert_eq!(status, 78);
    assert!(err.contains(&format!("{master} (seed of the cluster): it is a node without a cluster")), "{err}");
    assert!(err.contains("no node of the Redis Cluster has the slots 0-16383"), "{err}");
}
