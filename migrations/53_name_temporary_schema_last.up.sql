-- Functions that run with their owner's rights look up types and tables in the caller's temporary schema first, unless
-- search_path names it: who can run SQL could make a domain pg_temp.bytea, whose check then ran as the owner when such a
-- function was compiled (docs: CREATE FUNCTION, "Writing SECURITY DEFINER Functions Safely"). Named last, it hides nothing.
DO $$
DECLARE
  definer regprocedure;
BEGIN
  FOR definer IN
    SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE p.prosecdef AND n.nspname IN ('db', 'events') AND p.proconfig @> '{search_path=pg_catalog}'
  LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, pg_temp', definer);
  END LOOP;
END
$$;
