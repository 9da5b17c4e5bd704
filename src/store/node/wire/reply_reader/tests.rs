//! Tests of the reader with whole, divided and malformed replies.

use super::*;
use pieces::Chunks;
use proptest::prelude::*;
use std::{future::poll_fn, io::Cursor, time::Duration};
use tokio::io::AsyncWriteExt;

/// A stream that delivers its bytes in pieces.
mod pieces {
    use super::*;

    /// The stream.
    pub struct Chunks {
        bytes: Cursor<Vec<u8>>,
        size: usize,
    }

    impl Chunks {
        /// Creates a stream that delivers at most `size` bytes at a time.
        pub fn new(bytes: Vec<u8>, size: usize) -> Self {
            Self { bytes: Cursor::new(bytes), size }
        }
    }

    impl AsyncRead for Chunks {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            let mut piece = vec![0; self.size.min(buffer.remaining())];
            let mut piece = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut self.bytes).poll_read(context, &mut piece))?;
            buffer.put_slice(piece.filled());
            Poll::Ready(Ok(()))
        }
    }
}

async fn next(
    reader: &mut ReplyReader,
    stream: &mut Chunks,
    retention: impl Fn(usize) -> Retention,
) -> io::Result<ArrivedReply> {
    poll_fn(|context| {
        reader.begin_turn();
        reader.poll_reply(context, stream, &LifeSigns::default(), &retention)
    })
    .await
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// Returns replies as nodes send them.
fn reply() -> impl Strategy<Value = Vec<u8>> {
    let line = "[ -~]{0,40}".prop_map(|text| format!("{text}\r\n").into_bytes());
    let leaf = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..30).prop_map(|bytes| bulk(&bytes)),
        (8_000_usize..20_000).prop_map(|length| bulk(&vec![b'\r'; length])),
        any::<i64>().prop_map(|number| format!(":{number}\r\n").into_bytes()),
        line.clone().prop_map(|line| [b"+", &*line].concat()),
        line.prop_map(|line| [b"-ERR ", &*line].concat()),
        Just(b"+OK\r\n".to_vec()),
        Just(b"$-1\r\n".to_vec()),
        Just(b"_\r\n".to_vec()),
        Just(b"#t\r\n".to_vec()),
        Just(b",1.5\r\n".to_vec()),
        Just(b"=8\r\ntxt:text\r\n".to_vec()),
    ];
    leaf.prop_recursive(3, 30, 5, |item| {
        (prop::sample::select(b"*~>%".to_vec()), prop::collection::vec(item, 0..5)).prop_map(|(kind, items)| {
            let mut items: Vec<Vec<u8>> = items;
            let count = if kind == b'%' {
                items.truncate(items.len() / 2 * 2);
                items.len() / 2
            } else {
                items.len()
            };
            if kind == b'>' {
                items.insert(0, bulk(b"invalidate"));
            }
            let count = if kind == b'>' { items.len() } else { count };
            [format!("{}{count}\r\n", char::from(kind)).into_bytes(), items.concat()].concat()
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn replies_in_pieces_are_read_as_redis_rs_reads_them(
        replies in prop::collection::vec(reply(), 1..6),
        size in prop_oneof![1_usize..4, 100_usize..5000, Just(100_000)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let (mut reader, mut stream) = (ReplyReader::default(), Chunks::new(replies.concat(), size));
        for reply in &replies {
            let read = runtime.block_on(next(&mut reader, &mut stream, |_| Retention::Keep))?;
            prop_assert_eq!(read.value, redis::parse_redis_value(reply)?);
        }
        let end = runtime.block_on(next(&mut reader, &mut stream, |_| Retention::Keep));
        prop_assert_eq!(end.err().map(|error| error.kind()), Some(io::ErrorKind::UnexpectedEof));
    }
}

#[tokio::test]
async fn a_string_that_is_skipped_takes_no_memory_and_leaves_the_next_reply_intact() {
    const LARGE: usize = 1_000_000;
    for (retention, is_error) in [(Retention::Skip, false), (Retention::Refuse, true)] {
        let sent = [bulk(&vec![b'v'; LARGE]), b":7\r\n".to_vec()].concat();
        let (mut reader, mut stream) = (ReplyReader::default(), Chunks::new(sent, 5000));
        let skipped = next(&mut reader, &mut stream, |_| retention).await.expect("a reply");
        assert_eq!(skipped.string_bytes, LARGE);
        assert_eq!(matches!(skipped.value, Value::ServerError(_)), is_error, "{:?}", skipped.value);
        assert_eq!(next(&mut reader, &mut stream, |_| retention).await.expect("a reply").value, Value::Int(7));
    }
}

#[tokio::test]
async fn a_large_string_is_read_in_turns() {
    const LARGE: usize = 1_000_000;
    for retention in [Retention::Keep, Retention::Skip] {
        let (mut reader, mut turns) = (ReplyReader::default(), 0);
        let mut stream = Chunks::new(bulk(&vec![b'v'; LARGE]), LARGE);
        let read = poll_fn(|context| {
            turns += 1;
            reader.begin_turn();
            reader.poll_reply(context, &mut stream, &LifeSigns::default(), |_| retention)
        });
        assert_eq!(read.await.expect("a reply").string_bytes, LARGE);
        assert_eq!(turns, LARGE / BYTES_PER_TURN + 1);
    }
}

#[tokio::test]
async fn an_error_that_is_not_utf8_or_very_long_does_not_end_the_stream() {
    let long = [b"-ERR ".to_vec(), vec![b'e'; 3 * BUFFER_BYTES], b"\r\n".to_vec()].concat();
    let sent =
        [b"-ERR unknown command 'GET', with args beginning with: '\xE2\x82\r\n".to_vec(), long, b":7\r\n".to_vec()];
    for size in [1, 1000, 100_000] {
        let (mut reader, mut stream) = (ReplyReader::default(), Chunks::new(sent.concat(), size));
        for _ in 0..2 {
            let error = next(&mut reader, &mut stream, |_| Retention::Keep).await.expect("a reply").value;
            assert!(matches!(&error, Value::ServerError(error) if error.code() == "ERR"), "{error:?}");
        }
        let last = next(&mut reader, &mut stream, |_| Retention::Keep).await.expect("a reply");
        assert_eq!(last.value, Value::Int(7));
    }
}

#[tokio::test]
async fn bytes_that_are_no_reply_end_the_stream() {
    let deep = b"*1\r\n".repeat(DEPTH_MAX + 1);
    for sent in [&b"?\r\n"[..], b"\r\n", b"$x\r\n", b"$1\r\nab\r\n", b":99999999999999999999\r\n", &deep] {
        let (mut reader, mut stream) = (ReplyReader::default(), Chunks::new(sent.to_vec(), 100));
        let error = next(&mut reader, &mut stream, |_| Retention::Keep).await.err().expect("no reply");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_drips_gives_no_sign_of_life_before_its_reply_is_complete() {
    let (mut stream, mut node) = tokio::io::duplex(1024 * 1024);
    let (mut reader, life_signs) = (ReplyReader::default(), LifeSigns::default());
    let mut silence_after = async |bytes: &[u8]| {
        node.write_all(bytes).await.expect("there is room");
        tokio::time::advance(Duration::from_secs(1)).await;
        reader.begin_turn();
        let is_complete = poll_fn(|context| {
            let reply = reader.poll_reply(context, &mut stream, &life_signs, |_| Retention::Keep);
            Poll::Ready(reply.is_ready())
        });
        (is_complete.await, life_signs.silence().as_secs())
    };
    assert_eq!(silence_after(b"$4\r\nab").await, (false, 1));
    assert_eq!(silence_after(b"c").await, (false, 2));
    assert_eq!(silence_after(b"d\r\n").await, (true, 0));
    // A long string comes in pieces, each of which is enough.
    assert_eq!(silence_after(b"$65536\r\n").await, (false, 1));
    assert_eq!(silence_after(&vec![b'x'; 40_000]).await, (false, 0));
    assert_eq!(silence_after(&vec![b'x'; 2_000]).await, (false, 1));
    assert_eq!(silence_after(&vec![b'x'; 23_536]).await, (false, 0));
    assert_eq!(silence_after(b"\r\n").await, (true, 0));
}
