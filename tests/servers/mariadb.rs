//! MariaDB.

use std::fs;

use lagoa::seed::Target;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use secrecy::ExposeSecret;

use super::{
    PASSWORD, Server, USER, certificates, directory, free_port, give, keep, program, succeed,
    unprivileged, until,
};

/// Starts a server that speaks TLS and knows the user.
pub fn start() -> Server {
    let root = directory("mariadb");
    certificates(&root);
    let data = root.join("data");
    let places = ["/usr/sbin", "/usr/libexec", "/usr/local/bin"];
    let mut command = unprivileged(&program("mariadb-install-db", &places, "mariadb-server-core"));
    command.args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"]);
    command
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--tmpdir={}", root.display()));
    succeed(&mut command);
    let init = root.join("init.sql");
    let user = format!(
        "CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n"
    );
    fs::write(&init, user).unwrap();
    give(&init);
    let port = free_port();
    let file = |name: &str| root.join(name).display().to_string();
    let settings = [
        ("datadir", data.display().to_string()),
        ("tmpdir", root.display().to_string()),
        ("port", port.to_string()),
        ("bind-address", "127.0.0.1".to_owned()),
        ("socket", file("socket")),
        ("pid-file", file("pid")),
        ("init-file", file("init.sql")),
        ("ssl-cert", file("server.pem")),
        ("ssl-key", file("server.key")),
        ("innodb-flush-log-at-trx-commit", "0".to_owned()),
        ("innodb-buffer-pool-size", "64M".to_owned()),
    ];
    let mut command = unprivileged(&program("mariadbd", &places, "mariadb-server-core"));
    command.arg("--no-defaults");
    for (name, value) in settings {
        command.arg(format!("--{name}={value}"));
    }
    let server = Server { _keeper: keep(&command, &root, "KILL"), root, port };
    until("MariaDB answers", || {
        fs::read_to_string(server.root.join("log"))
            .unwrap_or_default()
            .contains("ready for connections")
    });
    server
}

/// A connection of the tests' own.
pub async fn client(target: &Target) -> Conn {
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(target.port)
        .user(Some(&target.user))
        .pass(Some(target.password.expose_secret()))
        .db_name(Some(&target.database))
        .prefer_socket(false);
    Conn::new(options).await.unwrap()
}

/// An empty database with a connection to it.
pub async fn database(server: &Server, name: &str) -> (Target, Conn) {
    let mut conn = client(&server.target("mysql")).await;
    conn.query_drop(format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4")).await.unwrap();
    let target = server.target(name);
    let client = client(&target).await;
    (target, client)
}

/// A number that a query gives.
pub async fn number(client: &mut Conn, sql: &str) -> i64 {
    client.query_first::<i64, _>(sql).await.unwrap().unwrap()
}
