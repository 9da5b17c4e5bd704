//! HTTP as both ports share it: the service around every request, bodies and their limits, the state of the handlers,
//! and the one place that turns errors into responses. It knows no endpoint of its own but the probes.

mod allowed_hosts;
pub mod authorization;
pub mod body;
mod body_memory;
mod connection;
mod error_code;
mod failed_request;
mod failure_log;
mod fallback;
mod head;
mod header_values;
mod held_reply;
pub mod json;
mod key_sampler;
pub mod probes;
mod problem;
mod problem_conversions;
mod readiness;
mod reloadable;
mod request_id;
pub mod request_metrics;
mod request_timeout;
mod resource_limit;
mod service;
mod state;
mod sync_token_header;
mod unfinished_logins;

pub use allowed_hosts::AllowedHosts;
pub use connection::{ClientAddress, ClientConnection, ConnectionPlace, ConnectionPlaces, NoPlace, PlaceLimits};
pub use error_code::ErrorCode;
pub use failed_request::{FailedRequest, FailureClass, RequestOrigin};
pub use failure_log::log_delete;
pub use fallback::https_required;
pub use key_sampler::{KeySampler, SAMPLED_ONE_OF, SampledKeys};
pub use problem::Problem;
pub use readiness::{Readiness, ServiceStatus};
pub use reloadable::{Config, ReloadableState};
pub use request_id::RequestId;
pub use request_timeout::request_timeout;
pub use service::{DirectRoute, Endpoint, Exchange, HttpService, Port, ResponseFuture};
pub use state::{AppState, Services};
pub use sync_token_header::SyncTokenHeader;
