//! PostgreSQL.

use std::fs;

use lagoa::seed::Target;
use secrecy::ExposeSecret;
use tokio_postgres::{Client, NoTls};

use super::{
    PASSWORD, Server, USER, certificates, directory, free_port, give, keep, program, succeed,
    unprivileged, until,
};

/// Starts a server that speaks TLS and knows the user.
pub fn start() -> Server {
    let root = directory("postgres");
    certificates(&root);
    fs::write(root.join("password"), PASSWORD).unwrap();
    give(&root.join("password"));
    let data = root.join("data");
    let places = ["/usr/local/pgsql/bin"];
    let initdb = program("initdb", &places, "postgresql");
    let mut command = unprivileged(&initdb);
    command.args(["-U", USER, "-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync"]);
    command.arg("--pwfile").arg(root.join("password")).arg("-D").arg(&data);
    succeed(&mut command);
    let port = free_port();
    let file = |name: &str| root.join(name).display().to_string();
    let settings = [
        ("listen_addresses", "127.0.0.1".to_owned()),
        ("port", port.to_string()),
        ("unix_socket_directories", String::new()),
        ("ssl", "on".to_owned()),
        ("ssl_cert_file", file("server.pem")),
        ("ssl_key_file", file("server.key")),
        ("fsync", "off".to_owned()),
        ("max_connections", "100".to_owned()),
    ];
    let mut command = unprivileged(&program("postgres", &places, "postgresql"));
    command.arg("-D").arg(&data);
    for (name, value) in settings {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    let server = Server { _keeper: keep(&command, &root, "QUIT"), root, port };
    until("PostgreSQL answers", || {
        fs::read_to_string(server.root.join("log"))
            .unwrap_or_default()
            .contains("ready to accept connections")
    });
    server
}

/// A connection of the tests' own.
pub async fn client(target: &Target) -> Client {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(target.port).user(&target.user);
    config.password(target.password.expose_secret()).dbname(&target.database);
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// An empty database with a connection to it.
pub async fn database(server: &Server, name: &str) -> (Target, Client) {
    let postgres = client(&server.target("postgres")).await;
    postgres.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let target = server.target(name);
    let client = client(&target).await;
    (target, client)
}

/// A number that a query gives.
pub async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}
