use sqlx::{Connection, PgConnection, Row};
use testkit::TestDb;

#[tokio::test]
async fn databases_are_separate_and_empty() {
    let (one, two) = tokio::join!(TestDb::create(), TestDb::create());
    let mut one = PgConnection::connect(&one.url()).await.unwrap();
    let mut two = PgConnection::connect(&two.url()).await.unwrap();

    sqlx::raw_sql("create table agents (id int)")
        .execute(&mut one)
        .await
        .unwrap();

    let table = "select to_regclass('agents')::text";
    let in_one: Option<String> = sqlx::query_scalar(table).fetch_one(&mut one).await.unwrap();
    let in_two: Option<String> = sqlx::query_scalar(table).fetch_one(&mut two).await.unwrap();
    assert_eq!((in_one.as_deref(), in_two), (Some("agents"), None));
}

#[tokio::test]
async fn owner_of_an_unprivileged_database_is_bound_by_policies() {
    let test_db = TestDb::create_unprivileged().await;
    let mut db = PgConnection::connect(&test_db.url()).await.unwrap();
    let mut superuser = PgConnection::connect(&test_db.superuser_url())
        .await
        .unwrap();

    sqlx::raw_sql(
        "create table agents (id int);
         insert into agents values (1);
         alter table agents enable row level security, force row level security;
         create role reader",
    )
    .execute(&mut db)
    .await
    .unwrap();

    let count = "select count(*) from agents";
    let seen: i64 = sqlx::query_scalar(count).fetch_one(&mut db).await.unwrap();
    let there: i64 = sqlx::query_scalar(count)
        .fetch_one(&mut superuser)
        .await
        .unwrap();
    assert_eq!((seen, there), (0, 1));
    let role =
        "select rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname = current_user";
    let role = sqlx::query(role).fetch_one(&mut db).await.unwrap();
    assert_eq!(
        (role.get(0), role.get(1), role.get(2)),
        (false, true, true),
        "superuser, createrole, createdb of {}",
        test_db.owner()
    );
}
