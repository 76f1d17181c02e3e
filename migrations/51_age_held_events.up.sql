-- What waits for a consumer is kept for ninety days (events/retention.ts): upkeep finds the oldest without reading all that waits.
CREATE INDEX held_since ON events.held (held_at);
