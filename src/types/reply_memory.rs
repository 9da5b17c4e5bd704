//! The memory of replies, from their values to their last byte, and its limits.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Bytes that one reply may have: 64 MiB of values as they are written, with the escapes of JSON, and the rest of 1,000
/// replies of a batch.
pub const REPLY_BYTES_MAX: usize = 65 * 1024 * 1024;
/// Size up to which a reply is not counted. The limits on connections and on requests bound the replies below it.
pub const UNCOUNTED_BYTES_MAX: usize = 4 * 1024;

/// The reason why a reply gets no more memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyMemoryError {
    /// The reply itself would be too large.
    TooLarge,
    /// The replies of the client, or of all clients, take all memory that they may.
    Exhausted,
}

/// The bytes that the replies of one client, or of all clients, hold.
#[derive(Debug, Default)]
pub struct ReplyBytes(AtomicUsize);

impl ReplyBytes {
    /// Returns the number of bytes.
    pub fn in_use(&self) -> usize {
        self.0.load(Relaxed)
    }

    fn try_add(&self, bytes: usize, max: usize) -> bool {
        self.0.fetch_update(Relaxed, Relaxed, |in_use| in_use.checked_add(bytes).filter(|total| *total <= max)).is_ok()
    }

    fn subtract(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Relaxed);
    }
}

/// The limits that one reply counts against.
#[derive(Clone, Copy)]
pub struct ReplyLimits<'a> {
    /// The bytes of all replies.
    pub process: &'a Arc<ReplyBytes>,
    /// The limit on them.
    pub process_bytes_max: usize,
    /// The bytes of the client's replies.
    pub client: &'a Arc<ReplyBytes>,
    /// The limit on them.
    pub client_bytes_max: usize,
}

/// The memory of one reply while it is made. It is released on drop.
pub struct ReplyMemory<'a> {
    limits: ReplyLimits<'a>,
    reserved: AtomicUsize,
}

impl<'a> ReplyMemory<'a> {
    /// Creates the memory of a reply that has no bytes yet.
    pub fn new(limits: ReplyLimits<'a>) -> Self {
        Self { limits, reserved: AtomicUsize::new(0) }
    }

    /// Reserves more bytes.
    pub fn reserve(&self, bytes: usize) -> Result<(), ReplyMemoryError> {
        let ReplyLimits { process, process_bytes_max, client, client_bytes_max } = self.limits;
        let before = self.reserved.load(Relaxed);
        let after = before.saturating_add(bytes);
        if after > REPLY_BYTES_MAX.min(client_bytes_max) {
            return Err(ReplyMemoryError::TooLarge);
        }
        let more = counted(after) - counted(before);
        if more > 0 {
            if !client.try_add(more, client_bytes_max) {
                return Err(ReplyMemoryError::Exhausted);
            }
            if !process.try_add(more, process_bytes_max) {
                client.subtract(more);
                return Err(ReplyMemoryError::Exhausted);
            }
        }
        // One task makes a reply, so nothing else has changed the number meanwhile.
        self.reserved.store(after, Relaxed);
        Ok(())
    }

    /// Reserves bytes until there are `total`.
    pub fn reserve_up_to(&self, total: usize) -> Result<(), ReplyMemoryError> {
        self.reserve(total.saturating_sub(self.reserved.load(Relaxed)))
    }

    /// Releases some of the bytes.
    pub fn release(&self, bytes: usize) {
        let before = self.reserved.load(Relaxed);
        let after = before.saturating_sub(bytes);
        let less = counted(before) - counted(after);
        if less > 0 {
            self.limits.client.subtract(less);
            self.limits.process.subtract(less);
        }
        self.reserved.store(after, Relaxed);
    }

    /// Hands the memory over to the reply, which has `bytes`. Returns `None` for a small reply, which is not counted.
    pub fn hold(self, bytes: usize) -> Option<HeldReplyMemory> {
        self.release(self.reserved.load(Relaxed).saturating_sub(bytes));
        let bytes = counted(self.reserved.swap(0, Relaxed));
        let (process, client) = (Arc::clone(self.limits.process), Arc::clone(self.limits.client));
        (bytes > 0).then_some(HeldReplyMemory { process, client, bytes })
    }
}

impl Drop for ReplyMemory<'_> {
    fn drop(&mut self) {
        self.release(self.reserved.load(Relaxed));
    }
}

/// Returns the part of a reply's bytes that counts.
fn counted(bytes: usize) -> usize {
    if bytes > UNCOUNTED_BYTES_MAX { bytes } else { 0 }
}

/// The memory of a reply that is being sent. It is released on drop.
pub struct HeldReplyMemory {
    process: Arc<ReplyBytes>,
    client: Arc<ReplyBytes>,
    bytes: usize,
}

impl Drop for HeldReplyMemory {
    fn drop(&mut self) {
        self.client.subtract(self.bytes);
        self.process.subtract(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn a_reply_counts_for_its_client_and_for_the_process_until_it_was_sent() {
        let (process, client) = (Arc::default(), Arc::default());
        let limits =
            ReplyLimits { process: &process, process_bytes_max: 3 * MIB, client: &client, client_bytes_max: 2 * MIB };
        let memory = ReplyMemory::new(limits);
        assert_eq!(memory.reserve(UNCOUNTED_BYTES_MAX), Ok(()));
        assert_eq!((process.in_use(), client.in_use()), (0, 0));
        assert_eq!(memory.reserve_up_to(MIB), Ok(()));
        assert_eq!((process.in_use(), client.in_use()), (MIB, MIB));
        assert_eq!(memory.reserve(MIB + 1), Err(ReplyMemoryError::TooLarge));

        let second = ReplyMemory::new(limits);
        assert_eq!(second.reserve(MIB + 1), Err(ReplyMemoryError::Exhausted));
        let other_client = Arc::default();
        let other = ReplyMemory::new(ReplyLimits { client: &other_client, ..limits });
        assert_eq!(other.reserve(2 * MIB), Ok(()));
        assert_eq!(second.reserve(MIB), Err(ReplyMemoryError::Exhausted), "the process has no more");
        assert_eq!(client.in_use(), MIB, "a refusal reserves nothing");

        let held = memory.hold(MIB / 2).expect("a large reply");
        assert_eq!(client.in_use(), MIB / 2);
        drop((held, other, second));
        assert_eq!((process.in_use(), client.in_use()), (0, 0));
    }
}
