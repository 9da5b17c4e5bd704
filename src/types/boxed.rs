//! Futures in boxes.

use std::pin::Pin;

/// Makes a future in a box. The box is allocated first, so that the future is made in it. `Box::pin` makes the future on the stack
/// and copies all of its room into the box.
pub fn boxed<F>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::into_pin(Box::write(Box::new_uninit(), make()))
}
