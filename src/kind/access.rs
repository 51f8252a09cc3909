//! What IAM has to allow for a kind, as data: `lagoa policy` makes a policy of it.

/// The actions of a kind, by what they are needed for.
///
/// Whatever the kind's calls may need is listed, also what only some fields lead to, unless leaving
/// it out where the field isn't set makes the policy noticeably smaller (see [`Grant::given`]).
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// For `owned`, which a plan asks of every kind, whatever the stack holds. What it asks only
    /// where AWS has something of the stack's belongs to `read`.
    pub sweep: &'static [Grant],
    /// For `read`, `owned` and `data`.
    pub read: &'static [Grant],
    /// For `create` and `update`.
    pub write: &'static [Grant],
    /// For `delete`.
    pub delete: &'static [Grant],
    /// ARNs that AWS makes up in part, as far as they can be foreseen: the field, and its value
    /// as in [`Grant::on`].
    pub foreseen: &'static [(&'static str, &'static str)],
}

/// Some actions on some resources.
#[derive(Clone, Copy, Debug)]
pub struct Grant {
    /// IAM's names of the actions: `rds:CreateDBInstance`.
    pub actions: &'static [&'static str],
    /// ARNs without `arn:partition:`, or `*`. `{name}`, `{within}` (what the name is unique in),
    /// `{account}`, `{region}` and `{stack}` are filled in, and so are fields: `{subnet_group}` has
    /// one ARN for each value of a list, none where the field isn't set, and a wildcard where it
    /// isn't known; `{subnet_group|default*}` stands for itself then. Of a value that is an ARN,
    /// the part counts that follows the same words: `role/{role}`.
    pub on: &'static [&'static str],
    /// What has to hold besides.
    pub when: Option<When>,
    /// The field without which the resource doesn't need it.
    pub given: Option<&'static str>,
}

/// A condition of IAM's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The resource carries the stack's tag.
    Owned,
    /// The call gives the resource the stack's tag.
    Marked,
    /// EC2 tags what one of these calls makes.
    Made(&'static [&'static str]),
    /// The policy is one of these, written as in [`Grant::on`].
    Attaching(&'static [&'static str]),
    /// The role is passed to one of these services.
    PassedTo(&'static [&'static str]),
    /// The service-linked role is for one of these services.
    LinkedTo(&'static [&'static str]),
    /// The call comes through one of these services in the stack's region, on the caller's behalf.
    Through(&'static [&'static str]),
}

/// The one resource of actions that know no single ones.
pub const ANY: &[&str] = &["*"];

/// Any key, where AWS uses it for the caller.
const KEYS: &[&str] = &["kms:{region}:{account}:key/*"];

impl Access {
    /// Nothing.
    pub const NONE: Self = Self { sweep: &[], read: &[], write: &[], delete: &[], foreseen: &[] };
}

impl Grant {
    /// These actions on these resources.
    pub const fn of(actions: &'static [&'static str], on: &'static [&'static str]) -> Self {
        Self { actions, on, when: None, given: None }
    }

    /// Handing over roles: `on` says which, `role/{field}`.
    pub const fn passing(on: &'static [&'static str], services: &'static [&'static str]) -> Self {
        Self::of(&["iam:PassRole"], on).when(When::PassedTo(services))
    }

    /// Making the role that a service has in every account, the first time it is needed.
    pub const fn linking(services: &'static [&'static str]) -> Self {
        let on = &["iam::{account}:role/aws-service-role/*"];
        Self::of(&["iam:CreateServiceLinkedRole"], on).when(When::LinkedTo(services))
    }

    /// Using keys through the services that encrypt with them. AWS's own keys need no leave, so it
    /// takes a field that names one.
    pub const fn encrypting(services: &'static [&'static str], field: &'static str) -> Self {
        const ACTIONS: &[&str] =
            &["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"];
        Self::of(ACTIONS, KEYS).when(When::Through(services)).given(field)
    }

    /// The same under a condition.
    pub const fn when(self, when: When) -> Self {
        Self { when: Some(when), ..self }
    }

    /// The same, where the field is set.
    pub const fn given(self, field: &'static str) -> Self {
        Self { given: Some(field), ..self }
    }
}
