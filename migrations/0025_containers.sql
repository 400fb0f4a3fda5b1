-- Which installation this is to container engines, and which of its processes are alive.

create table installation (
  is_only boolean primary key check (is_only),
  -- On the labels of its containers.
  id uuid not null
);

-- A process that runs containers says so again and again; those of the silent ones are removed.
create table container_processes (
  id uuid primary key,
  alive_until timestamptz not null
);
