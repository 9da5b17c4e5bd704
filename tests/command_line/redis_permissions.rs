//! Permissions that the service's Redis user lacks: each is one sentence in the log that names it.

use crate::local_redis::{Layout, RedisGroup};
use crate::{Setup, eventually, keys, serving::serve};
use serde_json::json;

#[test]
fn a_permission_that_the_near_cache_lacks_is_one_sentence_in_the_log() {
    for (lacking, named) in [
        ("+client|tracking +client|caching", "+client|tracking +client|caching"),
        ("+client|caching", "+client|caching"),
        ("+pttl", "+pttl"),
    ] {
        let redis = RedisGroup::start(&Layout { replicas: 0, ..Layout::default() }).expect("Redis starts");
        let all = "+get +set +unlink +info +ping +wait +pttl +client|tracking +client|caching";
        let permissions: Vec<&str> =
            all.split(' ').filter(|one| !lacking.split(' ').any(|lacks| lacks == *one)).collect();
        let rule = format!("ACL SETUSER limited on >users-password ~* -@all {}", permissions.join(" "));
        assert_eq!(redis.master(0).ask(&rule).expect("an answer"), "+OK");
        let address = &redis.master(0).address;
        let setup = Setup::new(&format!(
            "WORKERS=2\n[redis]\nusername=limited\npassword=users-password\n[shard:a]\nmaster={address}\n"
        ));
        let serving = serve(&setup);
        let sentence = format!("give the service's Redis user the permissions {named}\"");
        let read = json!({"command": "READ", "key": "k"});
        let log = eventually("the permission is named", || {
            // A READ of its own is tracked; one in a batch is not.
            let _replies = keys::send(&setup, &serving.address, &read);
            let log = std::fs::read_to_string(&serving.log).ok()?;
            log.contains(&sentence).then_some(log)
        });
        let sentences = log.lines().filter(|line| line.contains(&sentence) && line.contains("\"WARN\"")).count();
        assert_eq!(sentences, 1, "{log}");
    }
}
