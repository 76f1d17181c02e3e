create table auth.account (id uuid primary key);
-- create table nowhere.commented (id uuid);
create table if not exists orphan (id uuid);
