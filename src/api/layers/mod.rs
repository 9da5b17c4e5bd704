//! What surrounds every request.

mod request_id;

pub use request_id::RequestId;
