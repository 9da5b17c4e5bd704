//! Streams of requests: plain ones, known tricks, and both with random changes.

use super::corpus::{BODIES, LINES, PLAIN, REQUEST_LINES};

/// Makes streams from a number.
pub struct Generator(u64);

impl Generator {
    /// Creates the generator of one stream.
    pub fn new(case: u64) -> Self {
        Self(case)
    }

    /// Returns the next random number (`SplitMix64`).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a random number below `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("it is below a usize")
    }

    fn choose<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// Returns a stream of one to four requests.
    pub fn stream(&mut self) -> Vec<u8> {
        let mut stream = Vec::new();
        for _ in 0..=self.below(4) {
            if self.below(3) > 0 {
                stream.extend_from_slice(PLAIN.as_bytes());
                continue;
            }
            stream.extend_from_slice(self.choose(REQUEST_LINES).as_bytes());
            if self.below(8) > 0 {
                stream.extend_from_slice(b"Host: a\r\nContent-Length: 4\r\n");
            }
            for _ in 0..self.below(4) {
                stream.extend_from_slice(self.choose(LINES).as_bytes());
            }
            stream.extend_from_slice(b"\r\n");
            stream.extend_from_slice(self.choose(BODIES).as_bytes());
        }
        for _ in 0..self.below(4).saturating_sub(1) {
            self.change(&mut stream);
        }
        stream
    }

    /// Changes a few bytes of a stream.
    fn change(&mut self, stream: &mut Vec<u8>) {
        if stream.is_empty() {
            return;
        }
        let (position, other) = (self.below(stream.len()), self.below(stream.len()));
        match self.below(5) {
            0 => stream[position] = self.next().to_le_bytes()[0],
            1 => _ = stream.remove(position),
            2 => stream.insert(position, b"\r\n \t:,0\0\x80/"[self.below(10)]),
            3 => stream.truncate(position),
            _ => {
                let (from, to) = (position.min(other), position.max(other).min(position.min(other) + 40));
                let copied = stream[from..to].to_vec();
                let at = self.below(stream.len());
                stream.splice(at..at, copied);
            }
        }
    }

    /// Cuts a stream into up to five pieces.
    pub fn pieces<'s>(&mut self, stream: &'s [u8]) -> Vec<&'s [u8]> {
        let mut pieces = Vec::new();
        let mut rest = stream;
        for _ in 0..self.below(5) {
            let (piece, left) = rest.split_at(self.below(rest.len()));
            pieces.push(piece);
            rest = left;
        }
        pieces.push(rest);
        pieces
    }
}
