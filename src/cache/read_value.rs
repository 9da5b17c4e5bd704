//! The value that a READ has found.

use super::cached_read::{CachedRead, FoundValue};
use crate::{near_cache::CachedHandle, types::Value};
use std::{fmt, ops::Deref, sync::Arc};

/// The value that a READ has found, wherever it lies.
#[derive(Clone)]
pub struct ReadValue(ValueHandle);

#[derive(Clone)]
enum ValueHandle {
    /// A value that was read for this READ, or opened.
    Read(Arc<Value<'static>>),
    /// A value of the near cache. Invariant: it is not sealed.
    Near(CachedHandle<CachedRead>),
}

impl ReadValue {
    /// Returns a value that the near cache has. It must not be sealed.
    pub(super) fn near(cached: CachedHandle<CachedRead>) -> Self {
        debug_assert!(matches!(cached.value.found, FoundValue::Open(_)), "the value is not sealed");
        Self(ValueHandle::Near(cached))
    }
}

impl From<Arc<Value<'static>>> for ReadValue {
    fn from(value: Arc<Value<'static>>) -> Self {
        Self(ValueHandle::Read(value))
    }
}

impl Deref for ReadValue {
    type Target = Value<'static>;

    fn deref(&self) -> &Value<'static> {
        match &self.0 {
            ValueHandle::Read(value) => value,
            ValueHandle::Near(cached) => match &cached.value.found {
                FoundValue::Open(value) => value,
                FoundValue::Nothing | FoundValue::Sealed(..) => unreachable!("`near` requires it"),
            },
        }
    }
}

impl PartialEq for ReadValue {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for ReadValue {}

impl fmt::Debug for ReadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
