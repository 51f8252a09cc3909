//! Kinds without their types: what the engine, the plan and the reports work with.

use std::cell::OnceCell;
use std::marker::PhantomData;

use futures::future::LocalBoxFuture;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{
    Access, Cx, Farewell, Found, Kind, Neighbours, OnDestroy, Owner, Phase, Site, Takes, Wanted,
};
use crate::aws::{Aws, Error};

/// A live resource as the engine sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// Name in AWS.
    pub name: String,
    /// The kind's struct as JSON.
    pub fields: Value,
    /// Whether it is usable.
    pub phase: Phase,
    /// Whose it is; `None` when it carries no stack's mark.
    pub owner: Option<Owner>,
}

/// Facts about a kind that don't depend on a resource.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Its name in a stack file.
    pub name: &'static str,
    /// See [`Kind::EXAMPLE`].
    pub example: &'static str,
    /// See [`Kind::NAME`].
    pub name_pattern: &'static str,
    /// See [`Kind::ACCESS`].
    pub access: Access,
    /// See [`Kind::HOLDS`].
    pub holds: Option<&'static str>,
    /// See [`Kind::ON_DESTROY`].
    pub on_destroy: &'static [OnDestroy],
    /// See [`Kind::ON_DESTROY_DEFAULT`].
    pub on_destroy_default: Option<OnDestroy>,
    /// See [`Kind::WITHIN`].
    pub within: Option<&'static str>,
    /// See [`Kind::SERVES`].
    pub serves: Option<&'static str>,
    /// See [`Kind::KEPT_WHILE_USED`].
    pub kept_while_used: bool,
    /// See [`Kind::READS_AFTER_REFERENCES`].
    pub reads_after_references: bool,
    /// See [`Kind::TAKES`].
    pub takes: Takes,
    /// See [`Kind::SEED`].
    pub seed: bool,
}

type Answer<'a, T> = LocalBoxFuture<'a, Result<T, Error>>;

/// A kind without its type: fields are JSON.
pub trait AnyKind {
    /// Facts that don't depend on a resource.
    fn facts(&self) -> Facts;
    /// JSON Schema of the struct, with the marks of `field.rs`.
    fn schema(&self) -> &Value;
    /// See [`Kind::canonical_name`].
    fn canonical_name(&self, name: &str) -> String;
    /// See [`Kind::read`].
    fn read<'a>(&'a self, aws: &'a Aws, wanted: Vec<Wanted<Value>>) -> Answer<'a, Vec<Live>>;
    /// See [`Kind::owned`].
    fn owned<'a>(&'a self, aws: &'a Aws) -> Answer<'a, Vec<String>>;
    /// See [`Kind::names`].
    fn names<'a>(&'a self, aws: &'a Aws) -> Answer<'a, Vec<String>>;
    /// See [`Kind::create`].
    fn create<'a>(&'a self, desired: &'a Value, cx: &'a Cx<'a>) -> Answer<'a, ()>;
    /// See [`Kind::update`].
    fn update<'a>(&'a self, desired: &'a Value, live: &'a Value, cx: &'a Cx<'a>) -> Answer<'a, ()>;
    /// See [`Kind::delete`].
    fn delete<'a>(&'a self, live: &'a Value, with: &'a Farewell, cx: &'a Cx<'a>) -> Answer<'a, ()>;
    /// See [`Kind::data`].
    fn data<'a>(&'a self, live: &'a Value, cx: &'a Cx<'a>) -> Answer<'a, Option<String>>;
    /// The fields with every default filled in.
    fn complete(&self, fields: &Value) -> Result<Value, Error>;
    /// See [`Kind::accept`].
    fn accept(&self, desired: &Value, live: &Value) -> Result<Value, Error>;
    /// See [`Kind::predict`].
    fn predict(
        &self,
        desired: &Value,
        name: &str,
        site: &Site,
        root: &std::path::Path,
    ) -> Result<Value, Error>;
    /// See [`Kind::written`].
    fn written(&self, live: &Value, name: &str, site: &Site) -> Result<Value, Error>;
    /// See [`Kind::replace_because`].
    fn replace_because(&self, desired: &Value, live: &Value) -> Option<String>;
    /// See [`Kind::check`].
    fn check(&self, desired: &Value, root: &std::path::Path) -> Vec<(String, String)>;
    /// See [`Kind::warn`].
    fn warn(&self, desired: &Value, among: &Neighbours<'_>) -> Vec<(String, String)>;
    /// See [`Kind::summary`].
    fn summary(&self, desired: &Value, live: Option<&Value>, root: &std::path::Path)
    -> Vec<String>;
    /// See [`Kind::undecided`].
    fn undecided(&self, desired: &Value, live: &Value, root: &std::path::Path) -> Option<String>;
    /// See [`Kind::protected`].
    fn protected(&self, live: &Value) -> Option<String>;
}

/// A kind's place in the registry.
pub struct Registered<K> {
    name: &'static str,
    schema: OnceCell<Value>,
    kind: PhantomData<K>,
}

impl<K> Registered<K> {
    /// Registers the kind under the name of its file.
    pub const fn new(name: &'static str) -> Self {
        Self { name, schema: OnceCell::new(), kind: PhantomData }
    }
}

fn typed<K: Kind>(fields: &Value) -> Result<K, Error> {
    K::deserialize(fields).map_err(|error| {
        Error::internal(format!("fields of {}: {error}", std::any::type_name::<K>()))
    })
}

fn untyped<K: Kind>(fields: &K) -> Result<Value, Error> {
    serde_json::to_value(fields).map_err(|error| Error::internal(error.to_string()))
}

fn live<K: Kind>(found: Found<K>) -> Result<Live, Error> {
    let fields = untyped(&found.fields)?;
    let owner = found.fields.owner().or_else(|| owner_by_tags(&fields));
    Ok(Live { name: found.name, phase: found.fields.phase(), owner, fields })
}

fn owner_by_tags(fields: &Value) -> Option<Owner> {
    let tag = |key: &str| fields["tags"][key].as_str().map(str::to_owned);
    // What a kind keeps beside its resource lives and dies with that resource.
    if tag("lagoa:part-of").is_some() {
        return None;
    }
    Some(Owner { stack: tag("lagoa:stack")?, key: tag("lagoa:name") })
}

impl<K: Kind> AnyKind for Registered<K> {
    fn facts(&self) -> Facts {
        Facts {
            name: self.name,
            example: K::EXAMPLE,
            name_pattern: K::NAME,
            access: K::ACCESS,
            holds: K::HOLDS,
            on_destroy: K::ON_DESTROY,
            on_destroy_default: K::ON_DESTROY_DEFAULT,
            within: K::WITHIN,
            serves: K::SERVES,
            kept_while_used: K::KEPT_WHILE_USED,
            reads_after_references: K::READS_AFTER_REFERENCES,
            takes: K::TAKES,
            seed: K::SEED,
        }
    }

    fn schema(&self) -> &Value {
        self.schema.get_or_init(|| {
            let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
            settings.into_generator().into_root_schema_for::<K>().into()
        })
    }

    fn canonical_name(&self, name: &str) -> String {
        K::canonical_name(name)
    }

    fn read<'a>(&'a self, aws: &'a Aws, wanted: Vec<Wanted<Value>>) -> Answer<'a, Vec<Live>> {
        Box::pin(async move {
            let typed_one = |one: Wanted<Value>| {
                let desired = one.desired.as_ref().map(typed::<K>).transpose()?;
                Ok(Wanted { name: one.name, desired, glance: one.glance, whole: one.whole })
            };
            let wanted = wanted.into_iter().map(typed_one).collect::<Result<Vec<_>, Error>>()?;
            K::read(aws, &wanted).await?.into_iter().map(live).collect()
        })
    }

    fn owned<'a>(&'a self, aws: &'a Aws) -> Answer<'a, Vec<String>> {
        Box::pin(K::owned(aws))
    }

    fn names<'a>(&'a self, aws: &'a Aws) -> Answer<'a, Vec<String>> {
        Box::pin(K::names(aws))
    }

    fn create<'a>(&'a self, desired: &'a Value, cx: &'a Cx<'a>) -> Answer<'a, ()> {
        Box::pin(async move { typed::<K>(desired)?.create(cx).await })
    }

    fn update<'a>(&'a self, desired: &'a Value, live: &'a Value, cx: &'a Cx<'a>) -> Answer<'a, ()> {
        Box::pin(async move { typed::<K>(desired)?.update(&typed(live)?, cx).await })
    }

    fn delete<'a>(&'a self, live: &'a Value, with: &'a Farewell, cx: &'a Cx<'a>) -> Answer<'a, ()> {
        Box::pin(async move { typed::<K>(live)?.delete(with, cx).await })
    }

    fn data<'a>(&'a self, live: &'a Value, cx: &'a Cx<'a>) -> Answer<'a, Option<String>> {
        Box::pin(async move { typed::<K>(live)?.data(cx).await })
    }

    fn complete(&self, fields: &Value) -> Result<Value, Error> {
        untyped(&typed::<K>(fields)?)
    }

    fn accept(&self, desired: &Value, live: &Value) -> Result<Value, Error> {
        let mut desired: K = typed(desired)?;
        desired.accept(&typed(live)?);
        untyped(&desired)
    }

    fn predict(
        &self,
        desired: &Value,
        name: &str,
        site: &Site,
        root: &std::path::Path,
    ) -> Result<Value, Error> {
        let mut desired: K = typed(desired)?;
        desired.predict(name, site, root);
        untyped(&desired)
    }

    fn written(&self, live: &Value, name: &str, site: &Site) -> Result<Value, Error> {
        let mut fields: K = typed(live)?;
        fields.written(name, site);
        untyped(&fields)
    }

    fn replace_because(&self, desired: &Value, live: &Value) -> Option<String> {
        typed::<K>(desired).ok()?.replace_because(&typed(live).ok()?)
    }

    fn check(&self, desired: &Value, root: &std::path::Path) -> Vec<(String, String)> {
        match typed::<K>(desired) {
            Ok(desired) => desired.check(root),
            Err(error) => vec![(String::new(), error.to_string())],
        }
    }

    fn warn(&self, desired: &Value, among: &Neighbours<'_>) -> Vec<(String, String)> {
        typed::<K>(desired).map(|desired| desired.warn(among)).unwrap_or_default()
    }

    fn summary(
        &self,
        desired: &Value,
        live: Option<&Value>,
        root: &std::path::Path,
    ) -> Vec<String> {
        let live = live.and_then(|live| typed::<K>(live).ok());
        typed::<K>(desired).map(|desired| desired.summary(live.as_ref(), root)).unwrap_or_default()
    }

    fn undecided(&self, desired: &Value, live: &Value, root: &std::path::Path) -> Option<String> {
        typed::<K>(desired).ok()?.undecided(&typed(live).ok()?, root)
    }

    fn protected(&self, live: &Value) -> Option<String> {
        typed::<K>(live).ok()?.protected()
    }
}
