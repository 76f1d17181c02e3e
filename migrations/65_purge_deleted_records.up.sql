-- What was deleted is kept for thirty days (services/records/README.md). Upkeep removes it for all organisations at once, the
-- oldest first, and reads nothing else for that.
CREATE INDEX category_deletion ON records.category (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX product_deletion ON records.product (deleted_at) WHERE deleted_at IS NOT NULL;
