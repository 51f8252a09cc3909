//! SQL for a Redshift warehouse over HTTP. A request answers at once; how it went is asked for
//! until it is known, each question waiting at the service.

use std::time::Duration;

use aws_sdk_redshiftdata::operation::describe_statement::DescribeStatementOutput;
use aws_sdk_redshiftdata::types::{Field, StatusString};
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use crate::aws::retry::persist;
use crate::aws::{Aws, Class, Error};
use crate::field::Warehouse;
use crate::seed::{Channel, Reply, Trouble, token};

/// How long the service may hold a question back, in seconds. It says up to 30.
const WAIT: i32 = 20;
/// A service that answers at once all the same isn't asked more often than this.
const PAUSE: Duration = Duration::from_millis(250);
/// How long the service's own refusals to take more work are waited out.
const PATIENCE: Duration = Duration::from_secs(900);

/// The way to one database of a warehouse.
pub struct DataApi<'a> {
    /// The clients.
    pub aws: &'a Aws,
    /// Which warehouse, and as whom.
    pub warehouse: &'a Warehouse,
    /// The warehouse is a workgroup of Redshift Serverless, not a cluster.
    pub serverless: bool,
    /// The database.
    pub database: &'a str,
    /// Shows what is waited for.
    pub status: &'a dyn Fn(String),
}

impl DataApi<'_> {
    /// What errors call it.
    pub fn name(&self) -> String {
        let kind = if self.serverless { "workgroup" } else { "cluster" };
        format!("{kind} {}, database {}", self.warehouse.name, self.database)
    }

    fn workgroup(&self) -> Option<String> {
        self.serverless.then(|| self.warehouse.name.clone())
    }

    fn cluster(&self) -> Option<String> {
        (!self.serverless).then(|| self.warehouse.name.clone())
    }

    /// One call, again while the service has too much to do. A call that is sent again has the
    /// same token, if it has one.
    async fn call<T, F>(&self, call: impl FnMut() -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let waiting = |error: &Error| (self.status)(error.to_string());
        // What is half done is worth its end: whoever stops the run waits for a batch of SQL.
        let stopped = async || std::future::pending().await;
        persist(PATIENCE, call, &waiting, stopped).await.map_err(trouble)
    }

    /// Asks until the statement has come to its end.
    async fn ended(&self, id: &str) -> Result<DescribeStatementOutput, Trouble> {
        let data = &self.aws.redshift_data;
        loop {
            let asked = Instant::now();
            let call = data.describe_statement().id(id).wait_time_seconds(WAIT);
            let now =
                self.call(|| async { call.clone().send().await.map_err(Error::from) }).await?;
            match now.status() {
                Some(StatusString::Finished | StatusString::Failed | StatusString::Aborted) => {
                    return Ok(now);
                }
                _ if asked.elapsed() < PAUSE => sleep(PAUSE).await,
                _ => {}
            }
        }
    }

    async fn reply(&self, id: Option<&str>) -> Result<Reply, Trouble> {
        let id = id.ok_or_else(|| Trouble::Lost("the answer names no statement".to_owned()))?;
        let end = self.ended(id).await?;
        let at = end.created_at().map(instant).unwrap_or(Timestamp::UNIX_EPOCH);
        if end.status() != Some(&StatusString::Finished) {
            let parts = end.sub_statements().iter();
            let failed = parts.clone().position(|part| part.error().is_some());
            let words = parts.filter_map(|part| part.error()).next().or(end.error());
            let message = words.unwrap_or("the statement was aborted").to_owned();
            return Err(Trouble::Refused { index: failed.unwrap_or_default(), message, at });
        }
        let has_rows = end.has_result_set() == Some(true) && end.sub_statements().is_empty();
        let rows = if has_rows { self.rows(id).await? } else { Vec::new() };
        Ok(Reply { rows, at })
    }

    async fn rows(&self, id: &str) -> Result<Vec<Vec<String>>, Trouble> {
        let call = self.aws.redshift_data.get_statement_result().id(id);
        let mut rows = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let call = call.clone().set_next_token(next);
            let page =
                self.call(|| async { call.clone().send().await.map_err(Error::from) }).await?;
            let lines = page.records().iter().map(|row| row.iter().map(text).collect());
            rows.extend::<Vec<Vec<String>>>(lines.collect());
            next = page.next_token().map(str::to_owned);
            if next.is_none() {
                return Ok(rows);
            }
        }
    }
}

impl Channel for DataApi<'_> {
    async fn execute(&self, sql: &str, token: Option<&str>) -> Result<Reply, Trouble> {
        let call = self.aws.redshift_data.execute_statement();
        let call = call
            .sql(sql)
            .database(self.database)
            .set_cluster_identifier(self.cluster())
            .set_workgroup_name(self.workgroup())
            .set_secret_arn(self.warehouse.secret_arn.clone())
            .set_db_user(self.warehouse.user.clone())
            .set_client_token(token.map(|work| token_of(self.warehouse, work)));
        let sent = self.call(|| async { call.clone().send().await.map_err(Error::from) }).await?;
        self.reply(sent.id()).await
    }

    async fn transact(&self, sqls: &[String], token: &str) -> Result<Reply, Trouble> {
        let call = self.aws.redshift_data.batch_execute_statement();
        let call = call
            .set_sqls(Some(sqls.to_vec()))
            .database(self.database)
            .set_cluster_identifier(self.cluster())
            .set_workgroup_name(self.workgroup())
            .set_secret_arn(self.warehouse.secret_arn.clone())
            .set_db_user(self.warehouse.user.clone())
            .client_token(token_of(self.warehouse, token));
        let sent = self.call(|| async { call.clone().send().await.map_err(Error::from) }).await?;
        self.reply(sent.id()).await
    }
}

/// The Data API remembers a token for hours, and refuses it with another request: a warehouse that
/// was made anew under its old name is asked as somebody else.
fn token_of(warehouse: &Warehouse, work: &str) -> String {
    let Warehouse { secret_arn, user, .. } = warehouse;
    token(&[work, secret_arn.as_deref().unwrap_or_default(), user.as_deref().unwrap_or_default()])
}

fn trouble(error: Error) -> Trouble {
    match error.class {
        Class::Transient => Trouble::Lost(error.to_string()),
        _ => Trouble::Rejected(error.to_string()),
    }
}

fn instant(at: &DateTime) -> Timestamp {
    let nanos = i32::try_from(at.subsec_nanos()).unwrap_or_default();
    Timestamp::new(at.secs(), nanos).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn text(field: &Field) -> String {
    match field {
        Field::StringValue(text) => text.clone(),
        Field::LongValue(number) => number.to_string(),
        Field::BooleanValue(word) => word.to_string(),
        Field::DoubleValue(number) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warehouse_made_anew_has_tokens_of_its_own() {
        let warehouse = |secret: &str| Warehouse {
            name: "w".to_owned(),
            database: "d".to_owned(),
            secret_arn: Some(secret.to_owned()),
            user: None,
            arn: None,
        };
        assert_eq!(token_of(&warehouse("a"), "work"), token_of(&warehouse("a"), "work"));
        assert_ne!(token_of(&warehouse("a"), "work"), token_of(&warehouse("b"), "work"));
        assert_ne!(token_of(&warehouse("a"), "work"), token_of(&warehouse("a"), "other"));
    }
}
