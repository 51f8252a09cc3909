//! Two spellings of the same.

use std::ops::Deref;

use super::kms::same_key;
use crate::field::KmsKeyArn;

/// What a folded field holds, however it is wrapped.
pub trait Text {
    /// The text itself.
    fn text(&self) -> &str;
}

impl<T: Deref> Text for T
where
    T::Target: AsRef<str>,
{
    fn text(&self) -> &str {
        self.deref().as_ref()
    }
}

/// Takes live's spelling where only upper and lower case differ.
pub fn fold<T: Clone + Text>(desired: &mut Option<T>, live: &Option<T>) {
    if let (Some(want), Some(have)) = (&desired, live)
        && want.text().eq_ignore_ascii_case(have.text())
    {
        desired.clone_from(live);
    }
}

/// Takes live's spelling of the same KMS key.
pub fn fold_key(desired: &mut Option<KmsKeyArn>, live: &Option<KmsKeyArn>) {
    if desired.is_some() && same_key(desired.as_deref(), live.as_deref()) {
        desired.clone_from(live);
    }
}
