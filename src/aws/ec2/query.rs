//! The ec2Query protocol's requests: forms with numbered, dotted names.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::wire::{Filter, IpPermission, Peer, Tags};

/// The version of the EC2 API that all names here are from.
const VERSION: &str = "2016-11-15";

/// What RFC 3986 lets through as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// An operation's name and its parameters.
#[derive(Clone, Debug)]
pub(super) struct Form {
    action: &'static str,
    fields: Vec<(String, String)>,
}

impl Form {
    pub fn new(action: &'static str) -> Self {
        Self { action, fields: Vec::new() }
    }

    pub fn action(&self) -> &'static str {
        self.action
    }

    /// Adds a parameter. Empty lists and `None` add nothing.
    pub fn with<M: Member + ?Sized>(mut self, name: &str, member: &M) -> Self {
        member.put(&mut self, name);
        self
    }

    /// Adds bytes, which travel as Base64.
    pub fn with_blob(self, name: &str, bytes: &[u8]) -> Self {
        self.with(name, BASE64.encode(bytes).as_str())
    }

    /// Adds the tags that a new resource of this type is born with.
    pub fn with_tags_for(self, resource_type: &str, tags: &Tags) -> Self {
        if tags.is_empty() {
            return self; // EC2 refuses a specification without tags
        }
        self.with("TagSpecification.1.ResourceType", resource_type)
            .with("TagSpecification.1.Tag", tags)
    }

    /// The body of the request.
    pub fn encode(&self) -> String {
        let mut body = format!("Action={}&Version={VERSION}", self.action);
        for (name, value) in &self.fields {
            body.push('&');
            body.extend(utf8_percent_encode(name, UNRESERVED));
            body.push('=');
            body.extend(utf8_percent_encode(value, UNRESERVED));
        }
        body
    }

    fn structure(&mut self, name: &str, members: &[(&str, &dyn Member)]) {
        for (member_name, member) in members {
            member.put(self, &format!("{name}.{member_name}"));
        }
    }

    /// Lists are flattened: `name.1`, `name.2`, without a level for the list itself.
    fn list<M: Member>(&mut self, name: &str, members: impl IntoIterator<Item = M>) {
        for (index, member) in members.into_iter().enumerate() {
            member.put(self, &format!("{name}.{}", index + 1));
        }
    }
}

/// Something that can stand in a form under a name.
pub(super) trait Member {
    fn put(&self, form: &mut Form, name: &str);
}

impl Member for str {
    fn put(&self, form: &mut Form, name: &str) {
        form.fields.push((name.to_owned(), self.to_owned()));
    }
}

impl Member for String {
    fn put(&self, form: &mut Form, name: &str) {
        self.as_str().put(form, name);
    }
}

impl Member for bool {
    fn put(&self, form: &mut Form, name: &str) {
        self.to_string().put(form, name);
    }
}

impl Member for i32 {
    fn put(&self, form: &mut Form, name: &str) {
        self.to_string().put(form, name);
    }
}

impl<M: Member + ?Sized> Member for &M {
    fn put(&self, form: &mut Form, name: &str) {
        (**self).put(form, name);
    }
}

impl<M: Member> Member for Option<M> {
    fn put(&self, form: &mut Form, name: &str) {
        if let Some(member) = self {
            member.put(form, name);
        }
    }
}

impl<M: Member> Member for [M] {
    fn put(&self, form: &mut Form, name: &str) {
        form.list(name, self);
    }
}

impl<M: Member> Member for Vec<M> {
    fn put(&self, form: &mut Form, name: &str) {
        form.list(name, self);
    }
}

impl Member for BTreeMap<String, String> {
    fn put(&self, form: &mut Form, name: &str) {
        form.list(name, self.iter().map(TagPair));
    }
}

struct TagPair<'a>((&'a String, &'a String));

impl Member for TagPair<'_> {
    fn put(&self, form: &mut Form, name: &str) {
        let (key, value) = self.0;
        form.structure(name, &[("Key", key), ("Value", value)]);
    }
}

/// A tag to be removed, whatever its value.
pub(super) struct TagKey<'a>(pub &'a String);

impl Member for TagKey<'_> {
    fn put(&self, form: &mut Form, name: &str) {
        form.structure(name, &[("Key", self.0)]);
    }
}

impl Member for Filter {
    fn put(&self, form: &mut Form, name: &str) {
        form.structure(name, &[("Name", &self.name), ("Value", &self.values)]);
    }
}

impl Member for IpPermission {
    fn put(&self, form: &mut Form, name: &str) {
        form.structure(
            name,
            &[
                ("IpProtocol", &self.protocol),
                ("FromPort", &self.from_port),
                ("ToPort", &self.to_port),
            ],
        );
        // EC2 has one list per sort of peer, and the description belongs to the peer.
        let description = ("Description", &self.description as &dyn Member);
        match &self.peer {
            Peer::Ipv4(cidr) => {
                form.structure(&format!("{name}.IpRanges.1"), &[("CidrIp", cidr), description]);
            }
            Peer::Ipv6(cidr) => {
                form.structure(&format!("{name}.Ipv6Ranges.1"), &[("CidrIpv6", cidr), description])
            }
            Peer::PrefixList(id) => form.structure(
                &format!("{name}.PrefixListIds.1"),
                &[("PrefixListId", id), description],
            ),
            Peer::Group { group_id, user_id } => form.structure(
                &format!("{name}.Groups.1"),
                &[("GroupId", group_id), ("UserId", user_id), description],
            ),
        }
    }
}
