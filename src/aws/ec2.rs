//! placeholder
pub struct Client;
impl Client {
    pub fn new(_: &aws_config::SdkConfig) -> Self {
        Self
    }
}
