//! `cachefront status`: an instance at a glance.

use crate::local_redis::{Layout, RedisGroup};
use crate::{Setup, cachefront, eventually, result, run, serving::serve};
use serde_json::Value;

#[test]
fn status_shows_a_ready_and_a_degraded_service() {
    let group = RedisGroup::start(&Layout { replicas: 1, ..Layout::default() }).expect("a Redis");
    let (master, replica) = (&group.master(0).address, &group.replicas(0)[0].address);
    let setup = Setup::new(&format!("[shard:a]\nmaster={master}\nreplicas={replica}\n"));
    let serving = serve(&setup);
    let admin = format!("http://{}", serving.admin);
    let out = eventually("it is ready", || {
        let (status, out, err) = run(&["status", "--admin", &admin]);
        assert!(matches!(status, 0 | 2), "{err}");
        (status == 0 && err.is_empty()).then_some(out)
    });
    assert!(out.starts_with("Ready  version "), "{out}");
    let line = |address: &str| out.lines().find(|line| line.starts_with(address)).expect("a line").to_owned();
    assert!(line(&master.to_string()).contains("MASTER") && line(&replica.to_string()).contains("replica"), "{out}");
    assert!(out.contains("100.0 %") && out.contains("last minute"), "{out}");
    assert!(!out.contains('\u{1b}'), "colours are for terminals: {out:?}");

    let (status, out, _) = run(&["status", "--json", "--admin", &format!("{admin}/")]);
    let facts: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((status, &facts["status"]), (0, &Value::from("READY")));

    // Without --admin the settings name the admin port.
    let port = serving.admin.rsplit(':').next().expect("a port");
    let mut command = cachefront(&["status", "--config", setup.path()]);
    let by_settings = command.env("CACHEFRONT__SERVICE__ADMIN_PORT", port).output().expect("it runs");
    assert_eq!(result(&by_settings).0, 0);

    group.replicas(0)[0].kill();
    let (out, err) = eventually("the loss is seen", || {
        let (status, out, err) = run(&["status", "--admin", &admin]);
        (status == 2).then_some((out, err))
    });
    assert!(out.starts_with("Degraded  ") && out.contains("1 of 1 replicas are not reachable"), "{out}");
    assert_eq!(err, "cachefront: the service is degraded\n");
}

#[test]
fn status_names_an_unreachable_address_and_rejects_an_invalid_one() {
    let (status, out, err) = run(&["status", "--admin", "http://127.0.0.1:1"]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(err.starts_with("cachefront: http://127.0.0.1:1 does not answer: "), "{err}");
    for wrong in ["https://127.0.0.1:9091", "127.0.0.1:9091", "nonsense"] {
        assert_eq!(run(&["status", "--admin", wrong]).0, 64, "{wrong}");
    }
    for secret in ["http://me:hunter2@127.0.0.1:1", "https://me:hunter2@127.0.0.1:1", "http://me:hunter2 x@h:1"] {
        let (status, _, err) = run(&["status", "--admin", secret]);
        assert!(status == 64 && !err.contains("hunter2"), "{err}");
    }
    assert_eq!(run(&["status", "--config", "/nowhere/setup.config"]).0, 78);
    assert_eq!(run(&["status", "--config", "x", "--admin", "http://127.0.0.1:1"]).0, 64);
}
