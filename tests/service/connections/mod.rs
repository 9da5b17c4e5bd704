//! Limits on connections, on the heads and bodies that they carry, and on open files; connections that change workers.

mod age;
mod bodies;
mod files;
mod heads;
mod places;
mod skew;
