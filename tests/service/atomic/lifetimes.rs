//! TOUCH, TTL, EXISTS, and the conditions of a WRITE.

use super::{Scene, with};
use crate::harness::{Service, calls, eventually, redis, redis_section};
use futures_util::future::join_all;
use serde_json::{Value, json};

#[tokio::test]
async fn lifetimes_are_asked_for_prolonged_and_ended() {
    let scene = Scene::start().await;
    scene.run(json!({"command": "WRITE", "key": "k", "value": {"a": 1}, "expire": 100})).await;
    let ttl = || json!({"command": "TTL", "key": "k"});
    assert_eq!(scene.run(ttl()).await, json!({"command": "TTL", "status": "SUCCESS", "ttl": 100}));
    assert_eq!(
        scene.run(json!({"command": "EXISTS", "key": "k"})).await,
        json!({"command": "EXISTS", "status": "SUCCESS"})
    );
    let touched = scene.run(json!({"command": "TOUCH", "key": "k", "expire": 900})).await;
    assert_eq!(touched, json!({"command": "TOUCH", "status": "SUCCESS", "ttl": 900}));
    assert_eq!(scene.run(ttl()).await["ttl"], 900);
    assert_eq!(scene.run(json!({"command": "TOUCH", "key": "k"})).await["ttl"], 600, "the default");
    let read = scene.run(json!({"command": "READ", "key": "k", "touch": 50})).await;
    assert_eq!(read, json!({"command": "READ", "status": "SUCCESS", "value": {"a": 1}}));
    assert_eq!(scene.run(ttl()).await["ttl"], 50);
    scene.run(json!({"command": "READ", "key": "k", "touch": 0})).await;
    assert_eq!(scene.run(ttl()).await["ttl"], Value::Null);
    scene.run(json!({"command": "TOUCH", "key": "k", "expire": 70})).await;
    assert_eq!(scene.run(json!({"command": "TOUCH", "key": "k", "expire": -1})).await["ttl"], Value::Null);
    assert_eq!(scene.redis("PTTL k"), ":-1");
    for command in ["TTL", "EXISTS", "TOUCH"] {
        let missed = scene.run(json!({"command": command, "key": "nothing"})).await;
        assert_eq!(missed, json!({"command": command, "status": "NOT_FOUND", "message": "nothing Key not found"}));
    }
    let missed = scene.run(json!({"command": "READ", "key": "nothing", "touch": 9})).await;
    assert_eq!(missed["status"], "NOT_FOUND");
}

#[tokio::test]
async fn a_write_may_ask_that_nothing_is_there_or_that_the_lifetime_stays() {
    let scene = Scene::start().await;
    let write = |value: u32, fields: Value| with(json!({"command": "WRITE", "key": "k", "value": value}), fields);
    let first = scene.run(write(1, json!({"if_absent": true, "expire": 100}))).await;
    assert_eq!(first, json!({"command": "WRITE", "status": "SUCCESS", "value": 1}));
    let second = scene.run(write(2, json!({"if_absent": true, "expire": 999}))).await;
    assert_eq!(second, json!({"command": "WRITE", "status": "CONFLICT", "message": "k Key exists"}));
    assert_eq!(scene.caller.read("k").await, Some(json!(1)));
    scene.run(write(3, json!({"keep_expire": true}))).await;
    assert_eq!(scene.caller.read("k").await, Some(json!(3)));
    assert_eq!(scene.run(json!({"command": "TTL", "key": "k"})).await["ttl"], 100);
    let claims = join_all(
        (0..64).map(|value| scene.run(json!({"command": "WRITE", "key": "claim", "value": value, "if_absent": true}))),
    )
    .await;
    assert_eq!(claims.iter().filter(|claim| claim["status"] == "SUCCESS").count(), 1);
}

#[tokio::test]
async fn questions_about_keys_go_to_replicas_and_to_the_master_where_that_is_asked_for() {
    let group = redis(1, 1);
    let service = Service::start(&redis_section(&group));
    let caller = service.caller().await;
    let [master, replica] = [group.master(0), &group.replicas(0)[0]];
    eventually("a replica answers", async || {
        caller.run(json!({"command": "TTL", "key": "k"})).await;
        (calls(replica, "pttl") > 0).then_some(())
    })
    .await;
    let before = calls(master, "pttl");
    caller.run(json!({"command": "EXISTS", "key": "k", "consistency": "master"})).await;
    assert_eq!(calls(master, "pttl"), before + 1);
    // Own changes are seen, wherever the question goes.
    for round in 0..50 {
        let key = format!("own:{round}");
        caller.run(json!({"command": "WRITE", "key": key, "value": 1, "expire": 77})).await;
        assert_eq!(caller.run(json!({"command": "TTL", "key": key})).await["ttl"], 77);
    }
}
