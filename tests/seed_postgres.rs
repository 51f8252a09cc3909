//! Seeds against a real PostgreSQL server.

mod servers;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use lagoa::seed::{
    Decision, Engine, Load, Mode, Outcome, Rule, SeedError, Seeding, Standing, Target, Tls,
};
use servers::files::Seed;
use servers::postgres::{database, number};
use servers::proxy::{Loses, Proxy};
use servers::{Server, postgres};
use tokio_postgres::Client;

static SERVER: LazyLock<Server> = LazyLock::new(postgres::start);

fn seed() -> Seed {
    Seed::new(Engine::Postgres)
}

fn ran(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Ran { .. })
}

/// How the only file of a seed came out.
async fn outcome(seed: &Seed, target: &Target, rule: Rule) -> Outcome {
    seed.run(target, rule).await.unwrap().files.remove(0).1
}

async fn fails(seed: &Seed, target: &Target) -> String {
    seed.run(target, Rule::Changed).await.unwrap_err().to_string()
}

async fn texts(client: &Client, sql: &str) -> Vec<Option<String>> {
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn scripts_and_rows_go_in_once() {
    let (target, client) = database(&SERVER, "once").await;
    let seed = seed()
        .script("a.sql", "create table coins (id int primary key, name text, price numeric);")
        .csv("b.csv", "ID,Name,price\n1,\"Bit, coin\",1.5\n2,,\n", Load::into("Coins"));
    let units = seed.units();
    let seeding = Seeding::new(Engine::Postgres, &target, "demo", "data");
    assert_eq!(seeding.standing(&units).await.unwrap(), [Standing::New, Standing::New]);
    let report = seed.run(&target, Rule::Changed).await.unwrap();
    assert!(report.files.iter().all(|(_, outcome)| ran(outcome)), "{report:?}");
    assert!(matches!(report.files[1].1, Outcome::Ran { rows: 2, .. }));
    assert!(
        seeding
            .standing(&units)
            .await
            .unwrap()
            .iter()
            .all(|standing| matches!(standing, Standing::Done { .. }))
    );
    let again = seed.run(&target, Rule::Changed).await.unwrap();
    assert!(again.files.iter().all(|(_, outcome)| *outcome == Outcome::Skipped));
    assert_eq!(
        texts(&client, "select name from coins order by id").await,
        [Some("Bit, coin".to_owned()), None]
    );
    let rows = number(&client, "select rows_loaded from lagoa_seeds where file = 'b.csv'").await;
    assert_eq!(rows, 2);
}

#[tokio::test]
async fn edited_files_follow_their_rule() {
    let (target, client) = database(&SERVER, "rules").await;
    let seed =
        seed().script("a.sql", "create table if not exists t (a int); insert into t values (1);");
    assert!(ran(&outcome(&seed, &target, Rule::Once).await));
    seed.write("a.sql", "create table if not exists t (a int); insert into t values (2);");
    let error = seed.run(&target, Rule::Once).await.unwrap_err();
    assert!(matches!(error, SeedError::NeedsDecision(_)));
    assert!(
        error.to_string().contains("--seed-rerun data")
            && error.to_string().contains("--seed-accept data"),
        "{error}"
    );
    let accepted = seed.decided(&target, Rule::Once, Some(Decision::Accept)).await.unwrap();
    assert_eq!(accepted.files[0].1, Outcome::Accepted);
    assert_eq!(outcome(&seed, &target, Rule::Once).await, Outcome::Skipped);
    assert_eq!(number(&client, "select count(*) from t").await, 1);
    seed.write("a.sql", "insert into t values (3);");
    seed.decided(&target, Rule::Once, Some(Decision::Rerun)).await.unwrap();
    assert_eq!(number(&client, "select count(*) from t").await, 2);
    seed.write("a.sql", "insert into t values (4);");
    assert!(ran(&outcome(&seed, &target, Rule::Changed).await));
    assert!(ran(&outcome(&seed, &target, Rule::Always).await));
    assert_eq!(number(&client, "select count(*) from t").await, 4);
}

#[tokio::test]
async fn a_plan_is_for_the_files_it_saw() {
    let (target, _client) = database(&SERVER, "planned").await;
    let seed = seed().script("a.sql", "select 1;");
    let units = seed.units();
    seed.write("a.sql", "select 2;");
    let seeding = Seeding::new(Engine::Postgres, &target, "demo", "data");
    let error =
        seeding.run(&seed.root, &units, Rule::Changed, None, &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, SeedError::ChangedSincePlan { .. }));
}

#[tokio::test]
async fn a_failure_leaves_nothing_and_has_a_place() {
    let (target, client) = database(&SERVER, "failure").await;
    let script = "create table t (a int primary key);\ninsert into t values (1);\n";
    let cases = [
        ("select 'é', selec 1;", "a.sql:3:19: syntax error at or near \"1\" [42601]"),
        ("select nothing from t;", "a.sql:3:8: column \"nothing\" does not exist [42703]"),
        ("insert into t values (1);", "a.sql:3:1: duplicate key value"),
        ("do $$ begin raise exception 'no'; end $$;", "a.sql:3:1: no [P0001]"),
        ("call nowhere();", "a.sql:3:6: procedure nowhere() does not exist"),
    ];
    for (statement, expected) in cases {
        let seed = seed().script("a.sql", &format!("{script}{statement}\n"));
        let error = fails(&seed, &target).await;
        assert!(
            error.starts_with(expected) && error.contains("nothing of this file was applied"),
            "{error}"
        );
        assert_eq!(number(&client, "select count(*) from pg_class where relname = 't'").await, 0);
    }
    assert_eq!(number(&client, "select count(*) from lagoa_seeds").await, 0);
}

#[tokio::test]
async fn a_dump_is_restored() {
    let (target, client) = database(&SERVER, "dump").await;
    let dump = "\\restrict x\nSET lock_timeout = 0;\nSELECT pg_catalog.set_config('search_path', '', false);\n\
        CREATE TABLE public.t (a integer, b text);\n\
        COPY public.t (a, b) FROM stdin;\n1\tone\\ttab\n2\t\\N\n3\t${no}\n\\.\n\n\
        ALTER TABLE ONLY public.t ADD PRIMARY KEY (a);\n\\unrestrict x\n";
    let seed = seed().script("dump.sql", dump).script("next.sql", "insert into t values (4, 'd');");
    let report = seed.run(&target, Rule::Changed).await.unwrap();
    assert!(report.files.iter().all(|(_, outcome)| ran(outcome)));
    let values = texts(&client, "select b from public.t order by a").await;
    assert_eq!(values, [Some("one\ttab".into()), None, Some("${no}".into()), Some("d".into())]);
    seed.write("dump.sql", &dump.replace("public.t", "public.u").replace("2\t", "x\t"));
    let error = fails(&seed, &target).await;
    assert!(error.starts_with("dump.sql:7:1: invalid input syntax for type integer"), "{error}");
}

#[tokio::test]
async fn a_role_or_a_hidden_commit_does_not_break_the_ledger() {
    let (target, client) = database(&SERVER, "roles").await;
    client
        .batch_execute("create role guest; grant create on schema public to guest")
        .await
        .unwrap();
    let good = seed().script("a.sql", "set role guest; create table mine (a int);");
    assert!(ran(&outcome(&good, &target, Rule::Changed).await));
    let procedure = "create procedure p() language plpgsql as $$ begin commit; end $$; call p();";
    let error = fails(&seed().script("b.sql", procedure), &target).await;
    assert!(error.contains("invalid transaction termination"), "{error}");
}

#[tokio::test]
async fn bad_rows_reject_the_whole_file() {
    let (target, client) = database(&SERVER, "bad_rows").await;
    client
        .batch_execute("create table t (id int primary key, b text); insert into t values (9)")
        .await
        .unwrap();
    let mut long: String = "id,b\n1,a\n\"2\",\"x\ny\"\nx,b\n".to_owned();
    long.extend((10..200_000).map(|id| format!("{id},text of row {id}\n")));
    let cases = [
        (long.as_str(), "a.csv:5:1: invalid input syntax for type integer"),
        ("id,b\n1,a\n9,b\n", "a.csv:3:1: duplicate key value"),
        ("id,c\n1,a\n", "a.csv: the table t has no column c; it has id, b"),
    ];
    for (rows, expected) in cases {
        let error = fails(&seed().csv("a.csv", rows, Load::into("t")), &target).await;
        assert!(error.starts_with(expected), "{error}");
        assert_eq!(number(&client, "select count(*) from t").await, 1);
    }
    let error = fails(&seed().csv("a.csv", "id\n1\n", Load::into("nowhere")), &target).await;
    assert!(error.contains("there is no table nowhere"), "{error}");
}

#[tokio::test]
async fn rows_that_copy_would_misread_arrive() {
    let (target, client) = database(&SERVER, "misread").await;
    client.batch_execute("create table t (a text)").await.unwrap();
    let load = Load { null: "NULL".to_owned(), ..Load::into("t") };
    let seed = seed().csv("a.csv", "a\n\\.\n\\N\n\"a\nb\"\nNULL\n\"tab\there\"\nlast\n", load);
    assert!(matches!(outcome(&seed, &target, Rule::Changed).await, Outcome::Ran { rows: 6, .. }));
    let values = texts(&client, "select a from t").await;
    let expected = [Some("\\."), Some("\\N"), Some("a\nb"), None, Some("tab\there"), Some("last")];
    assert_eq!(values, expected.map(|value| value.map(str::to_owned)));
}

#[tokio::test]
async fn modes_do_what_they_say() {
    let (target, client) = database(&SERVER, "modes").await;
    client.batch_execute("create table t (id int primary key, b text)").await.unwrap();
    let load = |mode| Load { mode, ..Load::into("t") };
    let upsert = || load(Mode::Upsert { key: vec!["id".to_owned()] });
    let seed = seed().csv("a.csv", "id,b\n1,a\n2,b\n", upsert());
    outcome(&seed, &target, Rule::Changed).await;
    seed.write("a.csv", "id,b\n2,c\n3,d\n");
    outcome(&seed, &target, Rule::Changed).await;
    assert_eq!(
        texts(&client, "select b from t order by id").await,
        ["a", "c", "d"].map(|b| Some(b.to_owned()))
    );
    seed.write("a.csv", "id,b\n5,c\n5,d\n");
    assert!(fails(&seed, &target).await.contains("second time"));
    let replace = Seed::new(Engine::Postgres).csv("r.csv", "id,b\n7,z\n", load(Mode::Replace));
    outcome(&replace, &target, Rule::Changed).await;
    outcome(&replace, &target, Rule::Always).await;
    assert_eq!(texts(&client, "select b from t").await, [Some("z".to_owned())]);
    let append = Seed::new(Engine::Postgres).csv("p.csv", "id,b\n8,y\n", load(Mode::Append));
    assert!(matches!(
        append.run(&target, Rule::Changed).await,
        Err(SeedError::AppendNeedsOnce { .. })
    ));
    assert!(ran(&outcome(&append, &target, Rule::Once).await));
}

#[tokio::test]
async fn a_trigger_that_drops_rows_is_noticed() {
    let (target, client) = database(&SERVER, "dropped").await;
    let ddl = "create table t (id int); create function no() returns trigger language plpgsql as \
               $$ begin if new.id = 2 then return null; end if; return new; end $$; \
               create trigger no before insert on t for each row execute function no()";
    client.batch_execute(ddl).await.unwrap();
    let error = fails(&seed().csv("a.csv", "id\n1\n2\n3\n", Load::into("t")), &target).await;
    assert!(error.contains("the file has 3 rows, and the server stored 2"), "{error}");
    assert_eq!(number(&client, "select count(*) from t").await, 0);
}

#[tokio::test]
async fn without_transaction_a_file_goes_on_where_it_stopped() {
    let (target, client) = database(&SERVER, "journal").await;
    let text = "-- seed: no-transaction\ncreate table t (a int);\nset work_mem = '8MB';\ninsert into t values (1);\n\
                create index concurrently i on t (a);\ninsert into u values (1);\nvacuum t;\n";
    let seed = seed().script("a.sql", text);
    let error = fails(&seed, &target).await;
    assert!(
        error.starts_with("a.sql:6:13: relation \"u\" does not exist")
            && error.contains("the 4 statements before it are applied"),
        "{error}"
    );
    seed.write("a.sql", &text.replace("into u", "into t"));
    assert!(ran(&outcome(&seed, &target, Rule::Changed).await));
    assert_eq!(number(&client, "select count(*) from t").await, 2);
    assert_eq!(outcome(&seed, &target, Rule::Changed).await, Outcome::Skipped);
}

#[tokio::test]
async fn a_statement_in_doubt_asks() {
    let (target, client) = database(&SERVER, "doubt").await;
    let text = "-- seed: no-transaction\ncreate table t (a int);\ncreate index concurrently i on t (a);\ninsert into t values (1);\n";
    let seed = seed().script("a.sql", text);
    let blocker = postgres::client(&target).await;
    let run = tokio::time::timeout(Duration::from_millis(700), async {
        // The index waits for this transaction, and the run is cut off while it does.
        client.batch_execute("create table other (a int)").await.unwrap();
        blocker
            .batch_execute("begin isolation level repeatable read; select * from other")
            .await
            .unwrap();
        seed.run(&target, Rule::Changed).await
    });
    assert!(run.await.is_err());
    blocker.batch_execute("rollback").await.unwrap();
    let error = fails(&seed, &target).await;
    assert!(error.starts_with("a.sql:3: a run on") && error.contains("create index"), "{error}");
    seed.decided(&target, Rule::Changed, Some(Decision::Accept)).await.unwrap();
    assert_eq!(number(&client, "select count(*) from t").await, 1);
}

#[tokio::test]
async fn what_the_server_undoes_is_tried_again() {
    let (target, client) = database(&SERVER, "undone").await;
    client.batch_execute("create table t (a int); create sequence n").await.unwrap();
    let text = "insert into t values (1);\ndo $$ begin if nextval('n') < 3 then raise sqlstate '40001'; end if; end $$;";
    assert!(ran(&outcome(&seed().script("a.sql", text), &target, Rule::Changed).await));
    assert_eq!(number(&client, "select count(*) from t").await, 1);
}

#[tokio::test]
async fn a_server_far_away_is_not_asked_for_every_statement() {
    let (target, client) = database(&SERVER, "far").await;
    client.batch_execute("create table t (a int)").await.unwrap();
    let proxy = Proxy::far(SERVER.port, Duration::from_millis(10)).await;
    let through = Target { port: proxy.port, ..target.clone() };
    let inserts: String = (0..1000).map(|id| format!("insert into t values ({id});\n")).collect();
    let started = Instant::now();
    assert!(ran(&outcome(&seed().script("a.sql", &inserts), &through, Rule::Changed).await));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn two_seeders_load_once() {
    let (target, client) = database(&SERVER, "race").await;
    client.batch_execute("create table t (id int)").await.unwrap();
    for round in 0..8 {
        let one = seed()
            .script("a.sql", &format!("insert into t values ({round}); select pg_sleep(0.02);"));
        let two = Seed { engine: one.engine, root: one.root.clone(), files: one.files.clone() };
        let (first, second) =
            tokio::join!(one.run(&target, Rule::Changed), two.run(&target, Rule::Changed));
        let outcomes = [first.unwrap(), second.unwrap()];
        assert_eq!(outcomes.iter().filter(|report| ran(&report.files[0].1)).count(), 1);
        assert_eq!(number(&client, "select count(*) from t").await, round + 1);
    }
}

#[tokio::test]
async fn whoever_waits_is_told_for_whom() {
    let (target, _client) = database(&SERVER, "waits").await;
    let slow = seed().script("a.sql", "select pg_sleep(2);");
    let quick = seed().script("b.sql", "select 1;");
    let holder = slow.run(&target, Rule::Changed);
    let waiter = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let seeding = Seeding {
            patience: Duration::from_millis(400),
            ..Seeding::new(Engine::Postgres, &target, "demo", "data")
        };
        seeding
            .run(&quick.root, &quick.units(), Rule::Changed, None, &mut |_| {})
            .await
            .unwrap_err()
            .to_string()
    };
    let (held, refused) = tokio::join!(holder, waiter);
    held.unwrap();
    assert!(
        refused.contains("gave up waiting") && refused.contains("lagoa seed demo/data"),
        "{refused}"
    );
}

/// What the kill test seeds, and what must be there afterwards.
fn killed() -> Seed {
    let mut rows = "id,b\n".to_owned();
    rows.extend((0..3000).map(|id| format!("{id},row {id}\n")));
    let inserts: String = (0..200).map(|id| format!("insert into s values ({id});\n")).collect();
    seed()
        .script("1.sql", "create table s (a int); create table t (id int, b text);")
        .script("2.sql", &inserts)
        .csv("3.csv", &rows, Load::into("t"))
}

#[tokio::test]
async fn a_connection_cut_anywhere_never_doubles_or_loses() {
    let (target, client) = database(&SERVER, "cut").await;
    let (mut cuts, mut rounds) = (0, 0);
    // What one whole run takes in bytes, divided into steps: some cuts fall into every phase.
    for round in 0..25 {
        client.batch_execute("drop table if exists lagoa_seeds, s, t").await.unwrap();
        let proxy = Proxy::start(
            SERVER.port,
            500 + round * 3_000 + i64::from(rand::random::<u16>() % 3_000),
        )
        .await;
        let through = Target { port: proxy.port, ..target.clone() };
        let seed = killed();
        for _ in 0..5 {
            if seed.run(&through, Rule::Changed).await.is_ok() {
                break;
            }
        }
        assert!(
            seed.run(&target, Rule::Changed)
                .await
                .unwrap()
                .files
                .iter()
                .all(|(_, outcome)| *outcome == Outcome::Skipped)
        );
        cuts += i64::from(proxy.has_cut());
        rounds += 1;
        exact(&client).await;
    }
    assert!(cuts >= 15, "only {cuts} of {rounds} rounds were cut");
}

#[tokio::test]
async fn a_run_stopped_anywhere_never_doubles_or_loses() {
    let (target, client) = database(&SERVER, "stopped").await;
    for _ in 0..15 {
        client.batch_execute("drop table if exists lagoa_seeds, s, t").await.unwrap();
        let seed = killed();
        let mut stopped = true;
        while stopped {
            let moment = Duration::from_millis(u64::from(rand::random::<u8>()) / 2);
            stopped = tokio::time::timeout(moment, seed.run(&target, Rule::Changed)).await.is_err();
        }
        exact(&client).await;
    }
}

fn of_one_transaction(table: &str, file: &str) -> String {
    format!(
        "select count(distinct xmin::text) from (select xmin from {table} union all \
         select xmin from lagoa_seeds where file like '%{file}') both_of_them"
    )
}

async fn exact(client: &Client) {
    for (sql, expected) in [
        ("select count(*) from s", 200),
        ("select count(distinct a) from s", 200),
        ("select count(*) from t", 3000),
        ("select sum(id) from t", 2999 * 3000 / 2),
        ("select count(*) from lagoa_seeds where state = 'done'", 3),
        // The rows and what the ledger says of them are of one transaction each: the moment
        // between two would be too short to be hit by chance.
        (&of_one_transaction("s", "2.sql"), 1),
        (&of_one_transaction("t", "3.csv"), 1),
    ] {
        assert_eq!(number(client, sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn a_lost_answer_to_commit_is_looked_up() {
    let (target, client) = database(&SERVER, "commit").await;
    client.batch_execute("create table t (a int)").await.unwrap();
    let seed = seed().script("a.sql", "insert into t values (1);");
    let proxy = Proxy::losing(SERVER.port, b"COMMIT", Loses::Question).await;
    let through = Target { port: proxy.port, ..target.clone() };
    let error = fails(&seed, &through).await;
    assert!(
        error.contains("the connection was lost")
            && error.contains("nothing of this file was applied"),
        "{error}"
    );
    assert_eq!(number(&client, "select count(*) from t").await, 0);
    let proxy = Proxy::losing(SERVER.port, b"COMMIT", Loses::Answer).await;
    let through = Target { port: proxy.port, ..target.clone() };
    assert!(ran(&outcome(&seed, &through, Rule::Changed).await));
    assert!(proxy.has_cut());
    assert_eq!(number(&client, "select count(*) from t").await, 1);
}

#[tokio::test]
async fn tls_is_checked_in_full() {
    let (target, _client) = database(&SERVER, "tls").await;
    let seed = seed().script("a.sql", "select 1;");
    let secure = SERVER.secure(&target.database);
    assert!(ran(&outcome(&seed, &secure, Rule::Changed).await));
    let wrong_ca = Target { ca: Some(SERVER.root.join("other-ca.pem")), ..secure.clone() };
    let amazon = Target { ca: None, ..secure.clone() };
    let wrong_name = Target { host: "localhost".to_owned(), ..secure.clone() };
    let plain = Target {
        host: "db.example.com".to_owned(),
        hostaddr: Some("192.0.2.1".parse().unwrap()),
        tls: Tls::Off,
        ..secure.clone()
    };
    for (refused, expected) in [
        (wrong_ca, "UnknownIssuer"),
        (amazon, "UnknownIssuer"),
        (wrong_name, "not valid for name"),
        (plain, "refusing to send a password to db.example.com without TLS"),
    ] {
        let error = fails(&seed, &refused).await;
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains(servers::PASSWORD));
    }
}

#[tokio::test]
async fn a_wrong_password_is_said_without_it() {
    let (target, _client) = database(&SERVER, "password").await;
    let wrong = Target { password: "battery staple".into(), ..target };
    let error = fails(&seed().script("a.sql", "select 1;"), &wrong).await;
    assert!(
        error.contains("password authentication failed") && !error.contains("staple"),
        "{error}"
    );
}
