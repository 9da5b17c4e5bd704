//! What a client may do.

use std::fmt;

/// One permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Read = 1,
    Write = 2,
    Delete = 4,
}

impl Scope {
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Delete];

    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
        }
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    pub const ALL: Self = Self(7);

    pub fn allows(self, scope: Scope) -> bool {
        self.0 & scope as u8 != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The permissions that both sets hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Reads names separated by commas or spaces; the error is the first name that is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut bits = 0;
        for name in text.split([',', ' ']).filter(|name| !name.is_empty()) {
            let scope = Scope::ALL.into_iter().find(|scope| scope.name() == name);
            bits |= scope.ok_or_else(|| name.to_owned())? as u8;
        }
        Ok(Self(bits))
    }
}

impl fmt::Display for Scopes {
    /// Names separated by spaces, as the `scope` claim of a token has them (RFC 8693 §4.2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = Scope::ALL.into_iter().filter(|scope| self.allows(*scope));
        for (position, scope) in held.enumerate() {
            let gap = if position == 0 { "" } else { " " };
            write!(f, "{gap}{}", scope.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_round_trip_through_their_text() {
        for text in ["", "read", "read delete", "read write delete"] {
            assert_eq!(Scopes::parse(text).map(|scopes| scopes.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(Scopes::parse("read, admin"), Err("admin".to_owned()));
    }
}
