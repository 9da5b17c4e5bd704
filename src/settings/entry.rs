//! What both layers, the file and the environment, are made of.

/// One option as it was found.
#[derive(Clone, Debug)]
pub struct RawOption {
    pub section: String,
    pub option: String,
    pub value: String,
    /// The environment variable that it came from, if it did not come from the file.
    pub variable: Option<String>,
}
