//! The table of the command protocol, row by row.

use crate::harness::{API_KEY, Answer, Caller, Service, shared};
use serde_json::{Value, json};

#[tokio::test]
async fn write_read_and_delete_reply_as_the_python_service_did() {
    let (_redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    let write = caller.send(r#"{"command":"WRITE","key":"contract:k","value":"v","expire":3600}"#).await;
    assert_eq!(write.text, "{\"command\":\"WRITE\",\"status\":\"SUCCESS\",\"value\":\"v\"}\n");
    caller.until_read("contract:k", Some(&json!("v"))).await;
    let read = caller.send(r#"{"key":"contract:k","command":"READ"}"#).await;
    assert_eq!(read.text, "{\"command\":\"READ\",\"status\":\"SUCCESS\",\"value\":\"v\"}\n");
    let delete = caller.send(r#"{"command":"DELETE","key":"contract:k"}"#).await;
    assert_eq!(delete.text, "{\"command\":\"DELETE\",\"message\":\"contract:k Key deleted\",\"status\":\"SUCCESS\"}\n");
}

#[tokio::test]
async fn a_missing_key_is_http_200_and_not_found() {
    let (_redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    for command in ["READ", "DELETE"] {
        let answer = caller.send(json!({"command": command, "key": "contract:missing"}).to_string()).await;
        assert_eq!(answer.status.as_u16(), 200);
        let expected = json!({"command": command, "status": "NOT_FOUND", "message": "contract:missing Key not found"});
        assert_eq!(answer.json(), expected);
    }
}

#[tokio::test]
async fn the_expiry_of_a_write_is_the_default_the_given_one_or_never() {
    let (redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    let master = redis.master(0);
    let rows = [
        ("absent", json!({}), 590..=600),
        ("null", json!({"expire": null}), 590..=600),
        ("given", json!({"expire": 3600}), 3590..=3600),
        ("a whole number", json!({"expire": 3600.0}), 3590..=3600),
        ("zero", json!({"expire": 0}), -1..=-1),
        ("negative", json!({"expire": -5}), -1..=-1),
    ];
    for (name, extra, expected) in rows {
        let key = format!("contract:ttl:{}", name.replace(' ', "-"));
        let mut command = json!({"command": "WRITE", "key": key, "value": "v"});
        let fields = command.as_object_mut().expect("an object");
        fields.extend(extra.as_object().expect("an object").clone());
        assert_eq!(caller.run(command).await["status"], "SUCCESS");
        let ttl: i64 = master.ask(&format!("TTL {key}")).expect("an answer")[1..].parse().expect("a number");
        assert!(expected.contains(&ttl), "{name}: {ttl} is not within {expected:?}");
    }
}

#[tokio::test]
async fn a_write_without_expire_replaces_an_endless_expiry() {
    let (redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    for expire in [json!(0), Value::Null] {
        caller.run(json!({"command": "WRITE", "key": "contract:again", "value": "v", "expire": expire})).await;
    }
    assert_ne!(redis.master(0).ask("TTL contract:again").expect("an answer"), ":-1");
}

#[tokio::test]
async fn an_integer_key_is_its_text() {
    let (redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    let write = json!({"command": "WRITE", "key": 5, "value": "v"});
    let replies = caller.run(json!([write, {"command": "READ", "key": "5"}, {"command": "READ", "key": 5}])).await;
    assert_eq!((&replies[1]["value"], &replies[2]["value"]), (&json!("v"), &json!("v")));
    assert_eq!(redis.master(0).ask("GET 5").expect("an answer"), "v");
    assert_eq!(caller.run(json!({"command": "DELETE", "key": 5})).await["message"], "5 Key deleted");
}

#[tokio::test]
async fn the_empty_string_is_a_value() {
    let (_redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    caller.write("contract:empty", &json!("")).await;
    caller.until_read("contract:empty", Some(&json!(""))).await;
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let caller = shared().caller().await;
    let reply = caller.run(json!({"command": "READ", "key": "contract:missing", "trace": {"id": 1}})).await;
    assert_eq!(reply["status"], "NOT_FOUND");
}

#[tokio::test]
async fn a_byte_order_mark_before_a_body_is_no_part_of_it() {
    let (_redis, service) = Service::with_own_redis();
    let caller = service.caller().await;
    let answer = caller.send("\u{feff}{\"command\":\"DELETE\",\"key\":\"mark\"}").await;
    assert_eq!(answer.json()["status"], "NOT_FOUND", "{answer:?}");
    let answer = caller.send("\u{feff}[{\"command\":\"DELETE\",\"key\":\"mark\"}]").await;
    assert_eq!(answer.json()[0]["status"], "NOT_FOUND", "{answer:?}");
    let login = Caller::http().build().expect("a client").post(service.url("/login"));
    let answer = Answer::of(login.body(format!("\u{feff}{}", json!({"api_key": API_KEY})))).await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    let answer = caller.send(b"\xef\xbb\xbf\xff".to_vec()).await;
    assert!(answer.text.contains("byte 3 is wrong"), "{answer:?}");
}

#[tokio::test]
async fn an_error_names_the_command() {
    let caller = shared().caller().await;
    let answer = caller.send(r#"{"command":"WRITE","key":"k"}"#).await;
    assert_eq!(answer.expect_error(400, "invalid_field").json()["command"], "WRITE");
    assert_eq!(answer.json()["message"], "`value` is missing");
}
