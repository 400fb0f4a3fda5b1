-- When images that the platform has put on container engines were last used, wherever in the fleet.

create table container_images (
  -- The engine's own id, which is a hash of the content: the same on every engine.
  image text primary key,
  used_at timestamptz not null
);

-- The engine that answers a process, if one does: those with one go first, and one of those that share
-- it looks after its images.
alter table container_processes add column engine text not null default '';
