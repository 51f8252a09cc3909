//! Seeds against a real MariaDB server.

mod servers;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use lagoa::seed::{
    Decision, Engine, Load, Mode, Outcome, Progress, Rule, SeedError, Seeding, Standing, Target,
};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use servers::files::Seed;
use servers::mariadb::{client, database, number};
use servers::proxy::{Loses, Proxy};
use servers::{Server, mariadb};

static SERVER: LazyLock<Server> = LazyLock::new(mariadb::start);

fn seed() -> Seed {
    Seed::new(Engine::Mysql)
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

async fn texts(client: &mut Conn, sql: &str) -> Vec<Option<String>> {
    client.query(sql).await.unwrap()
}

async fn execute(client: &mut Conn, sql: &str) {
    client.query_drop(sql).await.unwrap();
}

#[tokio::test]
async fn scripts_and_rows_go_in_once() {
    let (target, mut client) = database(&SERVER, "once").await;
    let seed = seed()
        .script("a.sql", "create table coins (id int primary key, name varchar(20), price decimal(9,2));\ninsert into coins values (9, 'nine', 9);")
        .csv("b.csv", "ID,Name,price\n1,\"Bit, coin\",1.5\n2,,\n", Load::into("Coins"));
    let units = seed.units();
    assert!(!units[0].transactional);
    let seeding = Seeding::new(Engine::Mysql, &target, "demo", "data");
    assert_eq!(seeding.standing(&units).await.unwrap(), [Standing::New, Standing::New]);
    let report = seed.run(&target, Rule::Changed).await.unwrap();
    assert!(report.files.iter().all(|(_, outcome)| ran(outcome)), "{report:?}");
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
    let names = texts(&mut client, "select name from coins order by id").await;
    assert_eq!(names, [Some("Bit, coin".to_owned()), None, Some("nine".to_owned())]);
    assert_eq!(
        number(&mut client, "select rows_loaded from lagoa_seeds where file = 'b.csv'").await,
        2
    );
}

#[tokio::test]
async fn edited_files_follow_their_rule() {
    let (target, mut client) = database(&SERVER, "rules").await;
    execute(&mut client, "create table t (a int)").await;
    let seed = seed().script("a.sql", "insert into t values (1);");
    assert!(ran(&outcome(&seed, &target, Rule::Once).await));
    seed.write("a.sql", "insert into t values (2);");
    assert!(matches!(seed.run(&target, Rule::Once).await, Err(SeedError::NeedsDecision(_))));
    let accepted = seed.decided(&target, Rule::Once, Some(Decision::Accept)).await.unwrap();
    assert_eq!(accepted.files[0].1, Outcome::Accepted);
    assert_eq!(outcome(&seed, &target, Rule::Once).await, Outcome::Skipped);
    seed.write("a.sql", "insert into t values (3);");
    seed.decided(&target, Rule::Once, Some(Decision::Rerun)).await.unwrap();
    assert_eq!(number(&mut client, "select sum(a) from t").await, 4);
    seed.write("a.sql", "insert into t values (5);");
    assert!(ran(&outcome(&seed, &target, Rule::Changed).await));
    assert_eq!(number(&mut client, "select sum(a) from t").await, 9);
}

#[tokio::test]
async fn routines_with_delimiters_arrive_whole() {
    let (target, mut client) = database(&SERVER, "routines").await;
    let text = "/*M!999999\\- enable the sandbox mode */ \ncreate table t (a int, b varchar(20));\nDELIMITER //\n\
        CREATE PROCEDURE fill(n int)\nBEGIN\n  -- a comment; with a semicolon\n  WHILE n > 0 DO INSERT INTO t VALUES (n, 'x;y'); SET n = n - 1; END WHILE;\nEND//\n\
        CREATE TRIGGER double_it BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = NEW.a * 2; END; //\nDELIMITER ;\n\
        CALL fill(3);\n# done; really\n/*!40101 INSERT INTO t VALUES (10, 'it''s \\'quoted\\'; yes') */;\n";
    let seed = seed().script("a.sql", text);
    assert!(ran(&outcome(&seed, &target, Rule::Changed).await));
    assert_eq!(number(&mut client, "select sum(a) from t").await, 2 + 4 + 6 + 20);
    assert_eq!(
        texts(&mut client, "select b from t where a = 20").await,
        [Some("it's 'quoted'; yes".to_owned())]
    );
}

#[tokio::test]
async fn a_failure_has_a_place_and_the_next_run_goes_on_there() {
    let (target, mut client) = database(&SERVER, "failure").await;
    let text = "create table t (a int primary key);\ninsert into t values (1);\ncreate table u (a int);\ninsert into t values (2);\ninsert into t\n  values (1);\ncreate table v (a int);\n";
    let seed = seed().script("a.sql", text);
    let error = fails(&seed, &target).await;
    assert!(
        error.starts_with("a.sql:5:1: Duplicate entry '1'")
            && error.contains("the 3 statements before line 4 are applied"),
        "{error}"
    );
    assert_eq!(number(&mut client, "select count(*) from t").await, 1);
    seed.write("a.sql", &text.replace("  values (1)", "  values (3)"));
    assert!(ran(&outcome(&seed, &target, Rule::Once).await));
    assert_eq!(number(&mut client, "select sum(a) from t").await, 6);
    assert_eq!(
        number(&mut client, "select count(*) from lagoa_seeds where state = 'done'").await,
        1
    );
}

#[tokio::test]
async fn errors_name_the_statement_in_a_bunch() {
    let (target, mut client) = database(&SERVER, "bunch").await;
    execute(&mut client, "create table t (a int primary key)").await;
    let inserts = |bad: usize| -> String {
        (0..1200)
            .map(|id| {
                if id == bad {
                    "insert into t\n  valuess (1);\n".to_owned()
                } else {
                    format!("insert into t values ({id});\n")
                }
            })
            .collect()
    };
    for bad in [0, 1, 499, 500, 777, 1199] {
        let error = fails(&seed().script("a.sql", &inserts(bad)), &target).await;
        let line = bad + 2;
        assert!(
            error.starts_with(&format!("a.sql:{line}:3: You have an error in your SQL syntax")),
            "{error}"
        );
        assert!(error.contains("nothing of this file was applied"), "{error}");
        assert_eq!(number(&mut client, "select count(*) from t").await, 0);
    }
    let good = outcome(&seed().script("b.sql", &inserts(9999)), &target, Rule::Changed).await;
    assert!(matches!(good, Outcome::Ran { statements: 1200, rows: 1200, .. }), "{good:?}");
    let mixed = "select * from t limit 3;\ninsert into t values (5001), (5002);\nselect * from t limit 2;\ninsert into t values (5001);\n";
    let error = fails(&seed().script("c.sql", mixed), &target).await;
    assert!(error.starts_with("c.sql:4:1: Duplicate entry"), "{error}");
    let good = outcome(
        &seed().script("c.sql", &mixed.replace("(5001);", "(5003); select 1;")),
        &target,
        Rule::Changed,
    )
    .await;
    assert!(matches!(good, Outcome::Ran { statements: 5, rows: 3, .. }), "{good:?}");
}

#[tokio::test]
async fn a_dump_is_restored() {
    let (target, mut client) = database(&SERVER, "dump").await;
    let text = "/*M!999999\\- enable the sandbox mode */ \n/*!40101 SET NAMES utf8mb4 */;\n/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;\n\
        DROP TABLE IF EXISTS `child`;\nCREATE TABLE `child` (`p` int, FOREIGN KEY (`p`) REFERENCES `parent` (`id`));\nLOCK TABLES `child` WRITE;\n\
        /*!40000 ALTER TABLE `child` DISABLE KEYS */;\nINSERT INTO `child` VALUES (1),(2);\n/*!40000 ALTER TABLE `child` ENABLE KEYS */;\nUNLOCK TABLES;\n\
        CREATE TABLE `parent` (`id` int PRIMARY KEY COMMENT \"preço\");\nINSERT INTO `parent` VALUES (1),(2);\n/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;\n";
    let seed = seed().script("dump.sql", text).script("next.sql", "insert into child values (3);");
    let error = fails(&seed, &target).await;
    // The settings of the dump end with the dump.
    assert!(error.starts_with("next.sql:1:1: Cannot add or update a child row"), "{error}");
    assert_eq!(number(&mut client, "select count(*) from child").await, 2);
}

#[tokio::test]
async fn bad_rows_reject_the_whole_file() {
    let (target, mut client) = database(&SERVER, "bad_rows").await;
    execute(&mut client, "create table t (id int primary key, b varchar(5), d date); insert into t values (9, null, null)").await;
    let cases = [
        (
            "id,b,d\n1,a,2020-01-01\n\"2\",\"x\ny\",\nx,b,\n",
            "a.csv:5:1: ",
            "line 5: Incorrect integer value: 'x'",
        ),
        ("id,b,d\n1,a,2020-01-01\n9,b,\n", "a.csv:", "Duplicate entry '9'"),
        ("id,b,d\n1,far too long,\n", "a.csv:2:1: ", "line 2: Data truncated for column 'b'"),
        ("id,b,d\n1,a,2020-13-45\n", "a.csv:2:1: ", "line 2: Data truncated for column 'd'"),
        ("id,b\n1,a\n,b\n", "a.csv:3:1: ", "line 3"),
        ("id,c\n1,a\n", "a.csv: the table t has no column c; it has id, b, d", ""),
    ];
    for (rows, start, part) in cases {
        let error = fails(&seed().csv("a.csv", rows, Load::into("t")), &target).await;
        assert!(error.starts_with(start) && error.contains(part), "{error}");
        assert_eq!(number(&mut client, "select count(*) from t").await, 1);
    }
}

#[tokio::test]
async fn rows_that_load_data_would_misread_arrive() {
    let (target, mut client) = database(&SERVER, "misread").await;
    execute(&mut client, "create table t (a varchar(50) character set utf8mb4)").await;
    let load = Load { null: "NULL".to_owned(), ..Load::into("t") };
    let seed = seed().csv(
        "a.csv",
        "a\n\\.\n\\N\n\"a\nb\"\nNULL\n\"tab\there\"\n'quote\n🪙\n\"\"\nlast\n",
        load,
    );
    assert!(matches!(outcome(&seed, &target, Rule::Changed).await, Outcome::Ran { rows: 9, .. }));
    let expected = [
        Some("\\."),
        Some("\\N"),
        Some("a\nb"),
        None,
        Some("tab\there"),
        Some("'quote"),
        Some("🪙"),
        Some(""),
        Some("last"),
    ];
    assert_eq!(
        texts(&mut client, "select a from t").await,
        expected.map(|value| value.map(str::to_owned))
    );
}

/// `local_infile` is a setting of the whole server, so what needs it off runs beside nothing that
/// would mind: rows then go in another way, with the same outcome.
#[tokio::test]
async fn without_local_infile_rows_go_in_by_insert() {
    let (target, mut client) = database(&SERVER, "inserts").await;
    execute(
        &mut client,
        "create table t (id int primary key, b varchar(5)); set global local_infile = 0",
    )
    .await;
    let mut notes = Vec::new();
    let rows: String = (0..30_000).map(|id| format!("{id},b\\'{}\n", id % 7)).collect();
    let other: String = (100_000..130_000).map(|id| format!("{id},b\n")).collect();
    let good = seed().csv("a.csv", &format!("id,b\n{rows}"), Load::into("t"));
    let seeding = Seeding::new(Engine::Mysql, &target, "demo", "data");
    let report = seeding
        .run(&good.root, &good.units(), Rule::Changed, None, &mut |progress| {
            if let Progress::Note { message } = progress {
                notes.push(message);
            }
        })
        .await
        .unwrap();
    let bad = seed().csv("b.csv", &format!("id,b\n{other}40000,too long\n"), Load::into("t"));
    let error = fails(&bad, &target).await;
    execute(&mut client, "set global local_infile = 1").await;
    assert!(matches!(report.files[0].1, Outcome::Ran { rows: 30_000, .. }));
    assert!(notes.len() == 1 && notes[0].contains("local_infile"), "{notes:?}");
    assert!(error.starts_with("b.csv:30002:1: Data too long for column 'b'"), "{error}");
    assert_eq!(number(&mut client, "select count(*) from t").await, 30_000);
    assert_eq!(
        texts(&mut client, "select b from t where id = 3").await,
        [Some("b\\'3".to_owned())]
    );
}

#[tokio::test]
async fn modes_do_what_they_say() {
    let (target, mut client) = database(&SERVER, "modes").await;
    execute(&mut client, "create table t (id int primary key, b varchar(9))").await;
    let load = |mode| Load { mode, ..Load::into("t") };
    let upsert = |key: &str| load(Mode::Upsert { key: vec![key.to_owned()] });
    let seed = seed().csv("a.csv", "id,b\n1,a\n2,b\n", upsert("id"));
    outcome(&seed, &target, Rule::Changed).await;
    seed.write("a.csv", "id,b\n2,c\n3,d\n");
    outcome(&seed, &target, Rule::Changed).await;
    assert_eq!(
        texts(&mut client, "select b from t order by id").await,
        ["a", "c", "d"].map(|b| Some(b.to_owned()))
    );
    seed.write("a.csv", "id,b\n5,c\n5,d\n");
    assert!(fails(&seed, &target).await.contains("more than one row with the key 5"));
    let wrong = Seed::new(Engine::Mysql).csv("w.csv", "id,b\n5,c\n", upsert("b"));
    assert!(fails(&wrong, &target).await.contains("neither the primary key"));
    let replace = Seed::new(Engine::Mysql).csv("r.csv", "id,b\n7,z\n", load(Mode::Replace));
    outcome(&replace, &target, Rule::Changed).await;
    outcome(&replace, &target, Rule::Always).await;
    assert_eq!(texts(&mut client, "select b from t").await, [Some("z".to_owned())]);
}

#[tokio::test]
async fn ddl_that_was_applied_is_recognized() {
    let (target, mut client) = database(&SERVER, "applied").await;
    for (ddl, losing) in [
        ("create table a (a int)", Loses::Answer),
        ("create table b (a int)", Loses::Question),
        ("alter table a add column b int", Loses::Answer),
        ("drop table a", Loses::Answer),
        ("create view v as select * from b", Loses::Answer),
        ("create procedure p() select 1", Loses::Answer),
    ] {
        let name = format!("{}.sql", ddl.replace(' ', "_").replace('*', "x"));
        let marked =
            format!("insert into log values (1);\n/* cut */ {ddl};\ninsert into log values (2);\n");
        execute(&mut client, "drop table if exists log; create table log (a int)").await;
        let seed = seed().script(&name, &marked);
        let proxy = Proxy::losing(SERVER.port, ddl.as_bytes(), losing).await;
        let through = Target { port: proxy.port, ..target.clone() };
        let error = fails(&seed, &through).await;
        assert!(error.contains("the connection was lost"), "{error}");
        assert!(ran(&outcome(&seed, &target, Rule::Changed).await), "{ddl}");
        assert_eq!(number(&mut client, "select count(*) from log").await, 2, "{ddl}");
    }
}

#[tokio::test]
async fn other_ddl_in_doubt_asks() {
    let (target, mut client) = database(&SERVER, "asks").await;
    execute(&mut client, "create table a (a int)").await;
    let seed = seed().script(
        "a.sql",
        "insert into a values (1);\nrename table a to b;\ninsert into b values (2);\n",
    );
    let proxy = Proxy::losing(SERVER.port, b"rename table", Loses::Answer).await;
    let through = Target { port: proxy.port, ..target.clone() };
    fails(&seed, &through).await;
    let error = fails(&seed, &target).await;
    assert!(error.starts_with("a.sql:2: a run on"), "{error}");
    seed.decided(&target, Rule::Changed, Some(Decision::Accept)).await.unwrap();
    assert_eq!(number(&mut client, "select sum(a) from b").await, 3);
}

#[tokio::test]
async fn a_resumed_script_never_uses_values_it_has_lost() {
    let (target, mut client) = database(&SERVER, "values_lost").await;
    execute(
        &mut client,
        "create table p (id int auto_increment primary key); create table c (p int)",
    )
    .await;
    let text = "insert into p values (7);\nset @id = (select max(id) from p);\nalter table c add column b int;\ninsert into c (p) values (@id);\n";
    let seed = seed().script("a.sql", text);
    let proxy = Proxy::losing(SERVER.port, b"alter table", Loses::Answer).await;
    fails(&seed, &Target { port: proxy.port, ..target.clone() }).await;
    let error = fails(&seed, &target).await;
    assert!(error.contains("after line 2 needs the value of @id"), "{error}");
    assert_eq!(number(&mut client, "select count(*) from c").await, 0);
}

#[tokio::test]
async fn a_lost_answer_to_commit_is_looked_up() {
    let (target, mut client) = database(&SERVER, "commits").await;
    execute(&mut client, "create table t (a int)").await;
    let seed = seed().script("a.sql", "insert into t values (1);");
    for (loses, expected) in [(Loses::Question, 0), (Loses::Answer, 1)] {
        let proxy = Proxy::losing(SERVER.port, b"COMMIT", loses).await;
        let through = Target { port: proxy.port, ..target.clone() };
        let result = seed.run(&through, Rule::Changed).await;
        assert_eq!(result.is_ok(), expected == 1, "{result:?}");
        assert_eq!(number(&mut client, "select count(*) from t").await, expected);
    }
}

#[tokio::test]
async fn what_the_server_undoes_is_tried_again() {
    let (target, mut client) = database(&SERVER, "undone").await;
    let trigger = "create trigger twice before insert on t for each row begin set @n = coalesce(@n, 0) + 1; \
                   if @n < 3 then signal sqlstate '40001' set mysql_errno = 1213; end if; end";
    execute(&mut client, "create table t (a int)").await;
    execute(&mut client, trigger).await;
    assert!(ran(&outcome(
        &seed().script("a.sql", "insert into t values (1);"),
        &target,
        Rule::Changed
    )
    .await));
    assert_eq!(number(&mut client, "select count(*) from t").await, 1);
}

#[tokio::test]
async fn a_server_far_away_is_not_asked_for_every_statement() {
    let (target, mut client) = database(&SERVER, "far").await;
    execute(&mut client, "create table t (a int)").await;
    let proxy = Proxy::far(SERVER.port, Duration::from_millis(10)).await;
    let through = Target { port: proxy.port, ..target.clone() };
    let inserts: String = (0..1000).map(|id| format!("insert into t values ({id});\n")).collect();
    let started = Instant::now();
    assert!(ran(&outcome(&seed().script("a.sql", &inserts), &through, Rule::Changed).await));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn two_seeders_load_once() {
    let (target, mut client) = database(&SERVER, "race").await;
    execute(&mut client, "create table t (id int)").await;
    for round in 0..8 {
        let one =
            seed().script("a.sql", &format!("insert into t values ({round}); do sleep(0.02);"));
        let two = Seed { engine: one.engine, root: one.root.clone(), files: one.files.clone() };
        let (first, second) =
            tokio::join!(one.run(&target, Rule::Changed), two.run(&target, Rule::Changed));
        let outcomes = [first.unwrap(), second.unwrap()];
        assert_eq!(outcomes.iter().filter(|report| ran(&report.files[0].1)).count(), 1);
        assert_eq!(number(&mut client, "select count(*) from t").await, round + 1);
    }
}

#[tokio::test]
async fn whoever_waits_is_told_for_whom() {
    let (target, _client) = database(&SERVER, "waits").await;
    let slow = seed().script("a.sql", "do sleep(2);");
    let quick = seed().script("b.sql", "select 1;");
    let waiter = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let seeding = Seeding {
            patience: Duration::from_millis(400),
            ..Seeding::new(Engine::Mysql, &target, "demo", "data")
        };
        seeding
            .run(&quick.root, &quick.units(), Rule::Changed, None, &mut |_| {})
            .await
            .unwrap_err()
            .to_string()
    };
    let (held, refused) = tokio::join!(slow.run(&target, Rule::Changed), waiter);
    held.unwrap();
    assert!(refused.contains("gave up waiting") && refused.contains("seeder@"), "{refused}");
}

/// What the kill tests seed: DDL between rows, so that every sort of step is cut.
fn killed() -> Seed {
    let mut rows = "id,b\n".to_owned();
    rows.extend((0..3000).map(|id| format!("{id},row {id}\n")));
    let inserts: String = (0..200).map(|id| format!("insert into s values ({id});\n")).collect();
    let ddl = "set @x = 7;\ncreate table s (a int);\ncreate table t (id int, b varchar(20));\ninsert into s values (@x + 993);\n\
               alter table s add column c int;\ninsert into s values (1001, @x);\nalter table s drop column c;\ncreate index i on s (a);\n";
    seed().script("1.sql", ddl).script("2.sql", &inserts).csv("3.csv", &rows, Load::into("t"))
}

const CLEAN: &str = "drop table if exists lagoa_seeds, s, t";

#[tokio::test]
async fn a_connection_cut_anywhere_never_doubles_or_loses() {
    let (target, mut client) = database(&SERVER, "cut").await;
    let mut cuts = 0;
    for round in 0..40 {
        execute(&mut client, CLEAN).await;
        let proxy =
            Proxy::start(SERVER.port, 500 + round * 700 + i64::from(rand::random::<u16>() % 700))
                .await;
        let through = Target { port: proxy.port, ..target.clone() };
        let seed = killed();
        for _ in 0..5 {
            if seed.run(&through, Rule::Changed).await.is_ok() {
                break;
            }
        }
        let after = seed.run(&target, Rule::Changed).await.unwrap();
        assert!(after.files.iter().all(|(_, outcome)| *outcome == Outcome::Skipped));
        cuts += usize::from(proxy.has_cut());
        exact(&mut client).await;
    }
    assert!(cuts >= 15, "only {cuts} rounds were cut");
}

#[tokio::test]
async fn a_run_stopped_anywhere_never_doubles_or_loses() {
    let (target, mut client) = database(&SERVER, "stopped").await;
    for _ in 0..15 {
        execute(&mut client, CLEAN).await;
        let seed = killed();
        let mut stopped = true;
        while stopped {
            let moment = Duration::from_millis(u64::from(rand::random::<u8>()) / 2);
            let run = tokio::time::timeout(moment, seed.run(&target, Rule::Changed)).await;
            stopped = run.map(Result::unwrap).is_err();
        }
        exact(&mut client).await;
    }
}

async fn exact(client: &mut Conn) {
    for (sql, expected) in [
        ("select count(*) from s", 202),
        ("select sum(a) from s", 199 * 200 / 2 + 1000 + 1001),
        ("select count(*) from t", 3000),
        ("select sum(id) from t", 2999 * 3000 / 2),
        ("select count(*) from lagoa_seeds where state = 'done'", 3),
    ] {
        assert_eq!(number(client, sql).await, expected, "{sql}");
    }
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
    let wrong_password = Target { password: "battery staple".into(), ..secure.clone() };
    for (refused, expected) in [
        (wrong_ca, "UnknownIssuer"),
        (amazon, "UnknownIssuer"),
        (wrong_name, "not valid for name"),
        (wrong_password, "Access denied for user"),
    ] {
        let error = fails(&seed, &refused).await;
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains(servers::PASSWORD) && !error.contains("staple"));
    }
    let mut check = client(&target).await;
    assert_eq!(number(&mut check, "select count(*) from lagoa_seeds").await, 1);
}
