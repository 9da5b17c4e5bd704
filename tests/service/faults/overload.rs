//! More requests than may be worked on at once.

use super::{pause, resume, until_ready};
use crate::harness::{Service, redis, redis_section};
use futures_util::{StreamExt, stream::FuturesUnordered};
use serde_json::{Value, json};

const REQUESTS_MAX: usize = 4;

#[tokio::test]
async fn excess_requests_are_shed_at_once_and_accepted_ones_are_answered() {
    let group = redis(1, 0);
    let options = format!("REQUESTS_MAX={REQUESTS_MAX}\nREQUEST_DEADLINE_MS=20000");
    // The paused node is not considered hanging, so that only the limit refuses requests.
    let service =
        Service::plain_with(&options, &format!("[redis]\nattempt_timeout_ms=15000\n{}", redis_section(&group)));
    until_ready(&service, "READY").await;
    let caller = service.caller().await;
    pause(group.master(0));
    let write = |number: usize| json!({"command": "WRITE", "key": format!("k{number}"), "value": number});
    // Every second request is a batch, which counts as one request.
    let body =
        |number: usize| if number.is_multiple_of(2) { write(number) } else { Value::from(vec![write(number); 9]) };
    let mut answers: FuturesUnordered<_> = (0..12).map(|number| caller.send(body(number).to_string())).collect();
    for _ in 0..12 - REQUESTS_MAX {
        let refused = answers.next().await.expect("an answer");
        assert_eq!(refused.expect_error(503, "overloaded").header("retry-after"), "1");
    }
    resume(group.master(0));
    for _ in 0..REQUESTS_MAX {
        let accepted = answers.next().await.expect("an answer");
        assert!(accepted.status.as_u16() == 200 && !accepted.text.contains("ERROR"), "{accepted:?}");
    }
    // All permits are returned.
    let together = (0..REQUESTS_MAX).map(|number| caller.send(write(number).to_string()));
    for answer in futures_util::future::join_all(together).await {
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    }
}
