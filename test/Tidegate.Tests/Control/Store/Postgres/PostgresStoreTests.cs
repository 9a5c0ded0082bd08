using System.Diagnostics;
using Microsoft.Extensions.Time.Testing;
using Npgsql;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Postgres;
using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Rollups;
using Tidegate.Control.Store.Segments;
using Xunit;

namespace Tidegate.Tests.Control.Store.Postgres;

/// <summary>Several gateways and one PostgreSQL, which goes away and comes back.</summary>
public sealed class PostgresStoreTests : IClassFixture<PostgresServer>
{
    private static readonly DateTimeOffset Start = new(2026, 11, 26, 10, 15, 0, TimeSpan.Zero);

    private readonly PostgresServer _server;
    private readonly FakeTimeProvider _time = new(Start);
    private readonly List<string> _log = [];
    private readonly Random _random = new(1);
    private readonly string _address = "";
    private ulong _id;

    public PostgresStoreTests(PostgresServer server)
    {
        _server = server;
        if (server.Cluster is not null)
        {
            _address = PostgresAddress.Parse(server.Cluster.Address)!;
            Run("DROP SCHEMA IF EXISTS tidegate CASCADE");
        }
    }

    private static StoreSettings Settings => new() { Directory = "", MaxBytes = 1 << 30, MaxAge = TimeSpan.FromDays(30) };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_several_gateways_write_adds_up()
    {
        await using var first = Open();
        await using var second = Open();
        await AddAsync(first, 300);
        await AddAsync(second, 200);
        first.BringToDatabase();
        second.BringToDatabase();
        await AddAsync(second, 100);
        second.BringToDatabase();
        Assert.Equal((600, 600), await CountAsync(first));
        Assert.Equal((600, 600), await CountAsync(second));
        Assert.Empty(_log);
    }

    [Fact]
    public async Task What_comes_in_an_outage_waits_up_to_the_bound_and_the_rest_is_counted_and_lost()
    {
        var store = Open(maxWaiting: 500);
        await AddAsync(store, 50);
        store.BringToDatabase();
        _server.Cluster!.Stop();
        for (var i = 0; i < 8; i++)
        {
            await AddAsync(store, 100);
            store.BringToDatabase();
        }

        Assert.Equal(300, store.Dropped);
        Assert.Equal(8, store.Failures);
        _server.Cluster.Start();
        store.BringToDatabase();
        Assert.Equal((550, 550), await CountAsync(store));
        Assert.Contains("300 found no room", _log[^1], StringComparison.Ordinal);
        await AddAsync(store, 10);
        await store.DisposeAsync();
        await using var next = Open();
        Assert.Equal((560, 560), await CountAsync(next));
    }

    [Fact]
    public async Task A_commit_whose_answer_was_lost_is_not_made_twice()
    {
        var written = StoreRecords.Batch(_random, ref _id, Start, 40);
        await using (var store = Open())
        {
            store.BringToDatabase();
        }

        var batch = new PostgresBatch(7);
        for (var tries = 0; tries < 2; tries++)
        {
            await using var connection = new NpgsqlConnection(_address);
            await connection.OpenAsync(Cancellation);
            batch.Connection = connection;
            batch.Write(1, [written], []);
        }

        await using var reader = Open();
        Assert.Equal(40, (await CountAsync(reader)).Found);
    }

    [Fact]
    public async Task A_commit_that_is_still_under_way_is_waited_for_and_not_made_twice()
    {
        await using var store = Open();
        store.BringToDatabase();
        await using var first = Connect(_address);
        await using var underWay = await first.BeginTransactionAsync(Cancellation);
        PostgresSchema.Run(first, "INSERT INTO writers (writer, batch, seen) VALUES (7, 1, now())");
        await using var second = Connect(_address);
        var batch = new PostgresBatch(7) { Connection = second };
        var again = Task.Run(() => batch.Write(1, [StoreRecords.Batch(_random, ref _id, Start, 40)], []), Cancellation);
        await using var watch = Connect(_address);
        await UntilAsync(watch, $"SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = {second.ProcessID} AND wait_event_type = 'Lock'");

        await underWay.CommitAsync(Cancellation);
        await again;
        Assert.Equal(0, (await CountAsync(store)).Found);
    }

    [Fact]
    public async Task A_minute_that_was_forgotten_is_added_to_and_not_written_over()
    {
        await using var store = Open();
        await AddAsync(store, 50);
        store.BringToDatabase();
        _time.Advance(TimeSpan.FromHours(8));
        await AddAsync(store, 1);
        store.BringToDatabase();
        await store.WriteAsync(StoreRecords.Batch(_random, ref _id, Start, 30), Cancellation);
        store.BringToDatabase();
        Assert.Equal((81, 81), await CountAsync(store));
    }

    [Fact]
    public async Task Days_that_are_too_old_go_as_a_whole_and_the_sums_stay()
    {
        await using var store = Open();
        for (var day = 0; day < 3; day++)
        {
            await AddAsync(store, 20);
            _time.Advance(TimeSpan.FromDays(day == 1 ? 30 : 1));
            store.BringToDatabase();
        }

        _time.Advance(TimeSpan.FromMinutes(2));
        store.BringToDatabase();
        Assert.Equal((20, 60), await CountAsync(store));
        Assert.True(store.Bytes > 0);
    }

    [Fact]
    public async Task Traffic_that_never_rests_does_not_keep_the_store_from_its_other_work()
    {
        await using var store = Open();
        store.BringToDatabase();
        Run("""
            CREATE FUNCTION tidegate.slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END';
            CREATE TRIGGER slowly AFTER INSERT ON exchanges FOR EACH STATEMENT EXECUTE FUNCTION tidegate.slowly();
            """);
        using var enough = new CancellationTokenSource();
        var traffic = Task.Run(async () =>
        {
            while (!enough.IsCancellationRequested)
            {
                await AddAsync(store, 1);
                await Task.Delay(1, Cancellation);
            }
        }, Cancellation);
        try
        {
            await Task.Run(store.BringToDatabase, Cancellation).WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
        }
        finally
        {
            await enough.CancelAsync();
            await traffic;
        }
    }

    [Fact]
    public async Task Columns_that_an_update_brings_are_added_and_what_was_written_before_is_found()
    {
        await using (var store = Open())
        {
            await AddAsync(store, 20);
            store.BringToDatabase();
        }

        Run("ALTER TABLE exchanges DROP COLUMN cost, DROP COLUMN region; ALTER TABLE hours DROP COLUMN retries");
        await using var next = Open();
        next.BringToDatabase();
        await AddAsync(next, 10);
        next.BringToDatabase();
        Assert.Equal((30, 30), await CountAsync(next));
        Assert.Empty(_log);
    }

    [Fact]
    public async Task Who_may_not_make_tables_finds_those_that_are_there()
    {
        await using (var store = Open())
        {
            store.BringToDatabase();
        }

        Run("""
            DROP ROLE IF EXISTS writer; CREATE ROLE writer LOGIN;
            GRANT USAGE ON SCHEMA tidegate TO writer; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA tidegate TO writer;
            """);
        await using (var connection = Connect(_address.Replace("Username=tidegate", "Username=writer", StringComparison.Ordinal)))
        {
            PostgresSchema.Make(connection);
        }

        Run("DROP OWNED BY writer; DROP ROLE writer");
    }

    [Fact]
    public async Task What_the_database_does_not_take_is_counted_and_does_not_stop_what_comes_later()
    {
        await using var store = Open();
        var bad = StoreRecords.Next(_random, ++_id, Start) with { Path = "/a\0b" };
        await store.WriteAsync(new[] { bad }, Cancellation);
        store.BringToDatabase();
        await AddAsync(store, 5);
        store.BringToDatabase();
        Assert.Equal((6, 6), await CountAsync(store));
    }

    [Fact]
    public async Task Exchanges_that_the_database_refuses_are_lost_alone_and_counted()
    {
        await using var store = Open();
        store.BringToDatabase();
        Run("ALTER TABLE exchanges ALTER COLUMN path TYPE varchar(50)");
        var records = StoreRecords.Batch(_random, ref _id, Start, 300);
        foreach (var bad in (int[])[0, 17, 18, 299])
        {
            records[bad] = records[bad] with { Path = "/" + new string('x', 60) };
        }

        await store.WriteAsync(records, Cancellation);
        store.BringToDatabase();
        Assert.Equal((296, 300), await CountAsync(store));
        Assert.Equal((4, 1), (store.Dropped, store.Failures));
        Assert.Contains("too long", Assert.Single(_log), StringComparison.Ordinal);
        await AddAsync(store, 5);
        store.BringToDatabase();
        Assert.Equal((301, 305), await CountAsync(store));
        Assert.Equal((4, 1), (store.Dropped, store.Failures));
    }

    [Fact]
    public async Task Sums_that_the_database_refuses_are_lost_alone_and_not_sent_again_and_again()
    {
        await using var store = Open();
        store.BringToDatabase();
        Run("ALTER TABLE keys ALTER COLUMN api TYPE varchar(20); ALTER TABLE minutes ALTER COLUMN request_bytes TYPE integer");
        var records = StoreRecords.Batch(_random, ref _id, Start, 100);
        for (var i = 0; i < records.Length; i++)
        {
            records[i] = records[i] with { RequestBytes = i == 3 ? 1L << 40 : 7, Total = TimeSpan.Zero, Api = i == 7 ? new string('a', 30) : records[i].Api };
        }

        await store.WriteAsync(records, Cancellation);
        store.BringToDatabase();
        Assert.Equal((100, 99), await CountAsync(store));
        Assert.Equal((0, 1), (store.Dropped, store.Failures));
        Assert.Single(_log);
        await store.WriteAsync(StoreRecords.Batch(_random, ref _id, Start.AddHours(1), 5).Select(record => record with { RequestBytes = 7 }).ToArray(), Cancellation);
        store.BringToDatabase();
        Assert.Equal((105, 104), await CountAsync(store));
        Assert.Equal((0, 1), (store.Dropped, store.Failures));
    }

    [Fact]
    public async Task Halves_of_characters_are_kept_as_what_stands_for_them()
    {
        await using var store = Open();
        var odd = StoreRecords.Next(_random, ++_id, Start) with { Path = "/a\ud800b", Api = "\udc00", Detail = "\0" };
        await store.WriteAsync(new[] { odd }, Cancellation);
        store.BringToDatabase();
        Assert.Equal((1, 1), await CountAsync(store));
        Assert.Empty(_log);
    }

    [Fact]
    public async Task Names_that_differ_only_in_halves_of_characters_are_kinds_of_their_own_and_hold_nothing_up()
    {
        await using var store = Open();
        var plain = StoreRecords.Next(_random, ++_id, Start);
        string[] names = ["\ud800", "\udbff", "\udc00", "\ufffd"];
        await store.WriteAsync(names.Select(name => plain with { Id = ++_id, Consumer = new Tidegate.Exchanges.Consumer(name, "", "") }).ToArray(), Cancellation);
        store.BringToDatabase();
        Assert.Equal((4, 4), await CountAsync(store));
        Assert.Empty(_log);
        await using var watch = Connect(_address);
        await UntilAsync(watch, "SELECT count(*) = 4 FROM minutes");
    }

    [Fact]
    public async Task Two_sums_under_one_number_are_saved_as_one()
    {
        await using var store = Open();
        store.BringToDatabase();
        var record = StoreRecords.Next(_random, ++_id, Start);
        var sums = new RollupCell();
        sums.Add(in record);
        var changed = new ChangedCell(RollupDelta.MinuteOf(in record), RollupKey.Of(in record), sums);
        await using var connection = Connect(_address);
        var batch = new PostgresBatch(7) { Connection = connection };
        Assert.Equal(default, batch.Write(1, [[record]], [("minutes", [changed, changed, changed with { Begin = changed.Begin + TimeSpan.TicksPerMinute }])]));
        await UntilAsync(connection, "SELECT array_agg(count ORDER BY begin) = '{2,1}' FROM minutes");
    }

    [Theory]
    [InlineData("ALTER TABLE exchanges ADD CONSTRAINT none CHECK (path <> '/bad')", "violates check constraint")]
    [InlineData("ALTER TABLE exchanges ALTER COLUMN query SET NOT NULL", "violates not-null constraint")]
    [InlineData("CREATE FUNCTION tidegate.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused twice' USING ERRCODE = '21000'; END $$; CREATE TRIGGER refuse BEFORE INSERT ON exchanges FOR EACH ROW WHEN (NEW.path = '/bad') EXECUTE FUNCTION tidegate.refuse()", "refused twice")]
    [InlineData("CREATE FUNCTION tidegate.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused by nobody' USING ERRCODE = 'check_violation'; END $$; CREATE TRIGGER refuse BEFORE INSERT ON exchanges FOR EACH ROW WHEN (NEW.path = '/bad') EXECUTE FUNCTION tidegate.refuse()", "refused by nobody")]
    [InlineData("CREATE TABLE paths (path TEXT PRIMARY KEY); INSERT INTO paths VALUES ('/good'); ALTER TABLE exchanges ADD FOREIGN KEY (path) REFERENCES paths DEFERRABLE INITIALLY DEFERRED", "violates foreign key constraint")]
    public async Task What_breaks_a_rule_of_the_tables_is_lost_alone(string rule, string why)
    {
        await using var store = Open();
        store.BringToDatabase();
        Run(rule);
        var records = StoreRecords.Batch(_random, ref _id, Start, 100);
        for (var i = 0; i < records.Length; i++)
        {
            records[i] = records[i] with { Path = i == 40 ? "/bad" : "/good", Query = i == 40 ? null : "" };
        }

        await store.WriteAsync(records, Cancellation);
        store.BringToDatabase();
        Assert.Equal((99, 100), await CountAsync(store));
        Assert.Equal((1, 1), (store.Dropped, store.Failures));
        Assert.Contains(why, Assert.Single(_log), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_day_that_somebody_else_let_go_of_is_made_again_and_nothing_of_it_is_lost()
    {
        await using var store = Open();
        await AddAsync(store, 10);
        store.BringToDatabase();
        Run("DROP TABLE exchanges_20261126");
        await AddAsync(store, 5);
        store.BringToDatabase();
        store.BringToDatabase();
        Assert.Equal((5, 15), await CountAsync(store));
        Assert.Equal(0, store.Dropped);
    }

    [Fact]
    public async Task A_database_of_another_encoding_is_refused_with_what_to_do()
    {
        Assert.SkipWhen(_server.Cluster is null, PostgresServer.Missing);
        Run("DROP DATABASE IF EXISTS latin");
        Run("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        var address = new NpgsqlConnectionStringBuilder(_address) { Database = "latin" }.ConnectionString;
        await using var store = new PostgresStore(address, Settings, _log.Add, _time);
        await AddAsync(store, 5);
        store.BringToDatabase();
        Assert.Contains("ENCODING 'UTF8'", Assert.Single(_log), StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_an_outage_each_minute_tells_as_many_kinds_apart_as_a_minute_may()
    {
        await using var store = Open();
        for (var minute = 0; minute < 3; minute++)
        {
            var records = Enumerable.Range(0, 2_500).Select(i => StoreRecords.Next(new Random(1), ++_id, Start.AddMinutes(minute)) with
            {
                Total = TimeSpan.Zero,
                Consumer = new Tidegate.Exchanges.Consumer("c", $"tenant {minute}-{i}", ""),
            });
            await store.WriteAsync(records.ToArray(), Cancellation);
        }

        store.BringToDatabase();
        await using var reader = new StoreReader(store, _time);
        var sums = await reader.SeriesAsync(new SeriesQuery { From = Start, To = Start.AddMinutes(3), Step = TimeSpan.FromMinutes(1), GroupBy = ["tenant"], HasPoints = true }, Cancellation);
        Assert.Equal((7_500, 7_450), (sums.Total.Cell.Count, sums.OmittedGroups));
        Assert.DoesNotContain(sums.Groups, group => group.Key[0] == "(other)");
    }

    [Fact]
    public async Task What_waits_is_bounded_by_its_size_too()
    {
        var store = Open(maxWaitingBytes: 1_000_000);
        var large = StoreRecords.Batch(_random, ref _id, Start, 100);
        for (var i = 0; i < large.Length; i++)
        {
            large[i] = large[i] with { Path = "/" + new string('x', 1_000), Query = new string('x', 1_000) };
        }

        await store.WriteAsync(large, Cancellation);
        await store.WriteAsync(large, Cancellation);
        await store.WriteAsync(large, Cancellation);
        Assert.Equal(100, store.Dropped);
        Assert.Contains("100000 or 1 MB at most", Assert.Single(_log), StringComparison.Ordinal);
        store.BringToDatabase();
        Assert.Contains("100 found no room", _log[^1], StringComparison.Ordinal);
        await AddAsync(store, 100);
        Assert.Equal(2, _log.Count);
        await store.DisposeAsync();
        Assert.Equal(100, store.Dropped);
    }

    [Fact]
    public async Task What_is_left_at_the_end_is_counted_and_said()
    {
        var store = Open();
        store.BringToDatabase();
        _server.Cluster!.Stop();
        await AddAsync(store, 70);
        store.BringToDatabase();
        await AddAsync(store, 30);
        await store.DisposeAsync();
        _server.Cluster.Start();
        Assert.Equal(100, store.Dropped);
        Assert.StartsWith("100 exchanges could not be brought", _log[^1], StringComparison.Ordinal);
        await store.WriteAsync(StoreRecords.Batch(_random, ref _id, Start, 1), Cancellation);
    }

    [Fact]
    public async Task A_retention_that_fails_is_told_as_such_and_old_sums_go_all_the_same()
    {
        await using var store = Open();
        await AddAsync(store, 20);
        store.BringToDatabase();
        await using var reader = Connect(_address);
        await using var reading = await reader.BeginTransactionAsync(Cancellation);
        PostgresSchema.Run(reader, "SELECT count(*) FROM exchanges");
        _time.Advance(TimeSpan.FromDays(500));
        await AddAsync(store, 10);
        store.BringToDatabase();
        await using (var watch = Connect(_address))
        {
            await UntilAsync(watch, "SELECT (SELECT sum(count) FROM hours) = 10 AND (SELECT count(*) FROM exchanges) = 30");
        }

        Assert.StartsWith("Old exchanges cannot be let go of: ", Assert.Single(_log), StringComparison.Ordinal);
        await reading.RollbackAsync(Cancellation);
        _time.Advance(TimeSpan.FromMinutes(2));
        store.BringToDatabase();
        Assert.Equal(2, _log.Count);
        Assert.Equal((10, 10), await CountAsync(store));
    }

    [Fact]
    public async Task A_day_that_somebody_reads_does_not_keep_the_other_old_days()
    {
        await using var store = Open();
        foreach (var day in (int[])[0, 2, 4])
        {
            await store.WriteAsync(StoreRecords.Batch(_random, ref _id, Start.AddDays(day), 10), Cancellation);
        }

        store.BringToDatabase();
        await using var reader = Connect(_address);
        await using var reading = await reader.BeginTransactionAsync(Cancellation);
        PostgresSchema.Run(reader, "SELECT count(*) FROM exchanges_20261126; SELECT count(*) FROM exchanges_20261128");
        _time.Advance(TimeSpan.FromDays(100));
        store.BringToDatabase();
        await using var watch = Connect(_address);
        await UntilAsync(watch, "SELECT to_regclass('exchanges_20261126') IS NOT NULL AND to_regclass('exchanges_20261127') IS NULL AND to_regclass('exchanges_20261128') IS NOT NULL AND to_regclass('exchanges_20261130') IS NULL");
        Assert.StartsWith("Old exchanges cannot be let go of: 55P03: canceling statement due to lock timeout (2 days, the first 2026-11-26)", Assert.Single(_log), StringComparison.Ordinal);
        Assert.Equal(1, store.Failures);

        await reading.RollbackAsync(Cancellation);
        _time.Advance(TimeSpan.FromMinutes(2));
        store.BringToDatabase();
        await UntilAsync(watch, "SELECT to_regclass('exchanges_20261126') IS NULL AND to_regclass('exchanges_20261128') IS NULL");
        Assert.Equal(2, _log.Count);
    }

    [Fact]
    public async Task However_many_days_are_read_they_are_not_waited_for_one_by_one()
    {
        await using var store = Open();
        for (var day = 0; day < 10; day++)
        {
            await store.WriteAsync(StoreRecords.Batch(_random, ref _id, Start.AddDays(day), 1), Cancellation);
        }

        store.BringToDatabase();
        await using var reader = Connect(_address);
        await using var reading = await reader.BeginTransactionAsync(Cancellation);
        PostgresSchema.Run(reader, "SELECT count(*) FROM exchanges");
        await using var other = Connect(_address);
        var began = Stopwatch.GetTimestamp();
        Assert.Contains("(10 days, the first 2026-11-26)", PostgresRetention.LetGoOfDays(other, Settings, Start.AddDays(100)).Trouble, StringComparison.Ordinal);

        // For each of the ten days it would be ten.
        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 0.9, 9);
    }

    [Fact]
    public async Task Who_reads_only_today_is_waited_for_once_and_not_for_every_old_day()
    {
        await using var store = Open();
        foreach (var day in Enumerable.Range(0, 10).Append(100))
        {
            await store.WriteAsync(StoreRecords.Batch(_random, ref _id, Start.AddDays(day), 1), Cancellation);
        }

        store.BringToDatabase();
        await using var reader = Connect(_address);
        await using var reading = await reader.BeginTransactionAsync(Cancellation);
        PostgresSchema.Run(reader, "SELECT count(*) FROM exchanges WHERE started >= '2027-03-06 00:00:00+00'");
        await using var other = Connect(_address);
        var began = Stopwatch.GetTimestamp();
        Assert.Contains("(10 days, the first 2026-11-26)", PostgresRetention.LetGoOfDays(other, Settings, Start.AddDays(100)).Trouble, StringComparison.Ordinal);

        // For each of the ten days it would be ten.
        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 0.9, 9);

        await reading.RollbackAsync(Cancellation);
        Assert.Null(PostgresRetention.LetGoOfDays(other, Settings, Start.AddDays(100)).Trouble);
        await UntilAsync(other, "SELECT count(*) = 1 FROM exchanges");
    }

    [Fact]
    public async Task A_day_that_is_too_much_and_is_read_costs_no_later_day()
    {
        await using var store = Open();
        foreach (var day in (int[])[0, 1, 2])
        {
            await store.WriteAsync(StoreRecords.Batch(_random, ref _id, Start.AddDays(day), 10), Cancellation);
        }

        store.BringToDatabase();
        await using var other = Connect(_address);
        var days = PostgresDays.All(other);
        await using var reader = Connect(_address);
        await using var reading = await reader.BeginTransactionAsync(Cancellation);
        PostgresSchema.Run(reader, "SELECT count(*) FROM exchanges_20261126");
        var kept = PostgresRetention.LetGoOfDays(other, new StoreSettings { Directory = "", MaxBytes = days.Sum(day => day.Bytes) - 1, MaxAge = TimeSpan.FromDays(30) }, Start.AddDays(3));
        Assert.Equal(days, PostgresDays.All(other));
        Assert.Equal(days.Sum(day => day.Bytes), kept.Bytes);
        Assert.NotNull(kept.Trouble);
    }

    [Fact]
    public async Task A_database_that_stands_still_is_given_up_after_a_while_and_what_was_on_its_way_is_written_once()
    {
        Assert.SkipWhen(_server.Cluster is null, PostgresServer.Missing);
        await using var store = new PostgresStore(_address + ";Command Timeout=1", Settings, _log.Add, _time, databaseNow: _ => _time.GetUtcNow());
        store.BringToDatabase();
        await using var other = Connect(_address);
        await using var holding = await other.BeginTransactionAsync(Cancellation);
        PostgresSchema.Run(other, "LOCK TABLE exchanges_20261126 IN ACCESS EXCLUSIVE MODE");
        await AddAsync(store, 20_000);
        await Task.Run(store.BringToDatabase, Cancellation).WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
        Assert.Equal((1, 0), (store.Failures, store.Dropped));
        await holding.RollbackAsync(Cancellation);
        store.BringToDatabase();
        await UntilAsync(other, "SELECT (SELECT count(*) FROM exchanges) = 20000 AND (SELECT sum(count) FROM minutes) = 20000");
    }

    [Fact]
    public async Task Trouble_with_other_work_costs_no_exchange_that_waits()
    {
        var clock = new Func<DateTimeOffset>(_time.GetUtcNow);
        Assert.SkipWhen(_server.Cluster is null, PostgresServer.Missing);
        await using var store = new PostgresStore(_address, Settings, _log.Add, _time, databaseNow: _ => clock());
        store.BringToDatabase();
        Run("""
            CREATE FUNCTION tidegate.never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;
            CREATE TRIGGER never BEFORE INSERT ON exchanges FOR EACH ROW EXECUTE FUNCTION tidegate.never();
            """);
        await AddAsync(store, 20);
        store.BringToDatabase();
        Run("DROP TRIGGER never ON exchanges");
        _time.Advance(TimeSpan.FromMinutes(2));
        clock = () => throw new InvalidCastException("No time.");
        store.BringToDatabase();
        store.BringToDatabase();
        Assert.Equal((20, 20), await CountAsync(store));
        Assert.Equal(0, store.Dropped);
        Assert.Contains(_log, line => line.Contains("No time.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_clock_that_the_database_does_not_tell_holds_nothing_up()
    {
        Assert.SkipWhen(_server.Cluster is null, PostgresServer.Missing);
        await using var store = new PostgresStore(_address, Settings, _log.Add, _time, databaseNow: _ => throw new TimeoutException("No time."));
        await AddAsync(store, 20);
        store.BringToDatabase();
        Assert.Equal((20, 20), await CountAsync(store));
        Assert.Equal(1, store.Failures);
        Assert.StartsWith("The database's clock cannot be read: No time.", Assert.Single(_log), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_outage_when_other_work_is_due_is_one_failure_and_that_work_is_done_as_soon_as_it_is_over()
    {
        Assert.SkipWhen(_server.Cluster is null, PostgresServer.Missing);
        await using var store = new PostgresStore(_address, Settings, _log.Add, _time, databaseNow: Clock);
        await AddAsync(store, 20);
        store.BringToDatabase();
        _server.Cluster.Stop();
        _time.Advance(TimeSpan.FromDays(2));
        await AddAsync(store, 10);
        store.BringToDatabase();
        _server.Cluster.Start();
        Assert.StartsWith("Exchanges cannot be brought to PostgreSQL: ", Assert.Single(_log), StringComparison.Ordinal);
        Assert.Equal(1, store.Failures);

        store.BringToDatabase();
        Assert.Equal((30, 30), await CountAsync(store));
        Assert.Equal((1, 2), (store.Failures, _log.Count));
        await using var watch = Connect(_address);
        await UntilAsync(watch, "SELECT to_regclass('exchanges_20261129') IS NOT NULL");

        DateTimeOffset Clock(NpgsqlConnection connection)
        {
            PostgresSchema.Run(connection, "SELECT now()");
            return _time.GetUtcNow();
        }
    }

    [Fact]
    public async Task A_connection_that_breaks_in_the_middle_of_other_work_ends_it_and_the_next_time_there_is_a_new_one()
    {
        await using var store = Open();
        store.BringToDatabase();
        RunAtUpkeep("PERFORM pg_terminate_backend(pg_backend_pid())");
        _time.Advance(TimeSpan.FromDays(100));
        await AddAsync(store, 20);
        store.BringToDatabase();
        Assert.StartsWith("Old sums cannot be let go of: ", Assert.Single(_log), StringComparison.Ordinal);
        Assert.Equal(1, store.Failures);
        Assert.Equal((20, 20), await CountAsync(store));

        _time.Advance(TimeSpan.FromMinutes(2));
        store.BringToDatabase();
        Assert.Equal((2, 1), (store.Failures, _log.Count));

        Run("DROP TRIGGER at_upkeep ON minutes");
        _time.Advance(TimeSpan.FromMinutes(2));
        store.BringToDatabase();
        Assert.Equal("PostgreSQL makes room for exchanges, and lets go of old ones, again.", _log[^1]);
        await using var watch = Connect(_address);
        await UntilAsync(watch, "SELECT to_regclass('exchanges_20261126') IS NULL AND to_regclass('exchanges_20270307') IS NOT NULL");
        Assert.Equal((2, 2), (store.Failures, _log.Count));
    }

    [Fact]
    public async Task An_outage_in_the_middle_of_other_work_is_one_failure_and_that_work_is_done_as_soon_as_it_is_over()
    {
        await using var store = Open();
        store.BringToDatabase();
        RunAtUpkeep("PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid(); PERFORM pg_terminate_backend(pg_backend_pid())");
        _time.Advance(TimeSpan.FromDays(100));
        await AddAsync(store, 20);
        store.BringToDatabase();
        Assert.StartsWith("Exchanges cannot be brought to PostgreSQL: ", Assert.Single(_log), StringComparison.Ordinal);
        Assert.Equal((1, 0), (store.Failures, store.Dropped));

        Run("DROP TRIGGER at_upkeep ON minutes");
        store.BringToDatabase();
        Assert.Equal("Exchanges are brought to PostgreSQL again.", _log[^1]);
        Assert.Equal((20, 20), await CountAsync(store));
        await using var watch = Connect(_address);
        await UntilAsync(watch, "SELECT to_regclass('exchanges_20261126') IS NULL");
        Assert.Equal((1, 2), (store.Failures, _log.Count));
    }

    [Fact]
    public async Task A_server_that_lets_only_one_connection_in_takes_exchanges_all_the_same()
    {
        Assert.SkipWhen(_server.Cluster is null, PostgresServer.Missing);
        await using var store = new PostgresStore(_address + ";Maximum Pool Size=1;Timeout=1", Settings, _log.Add, _time, databaseNow: _ => _time.GetUtcNow());
        await AddAsync(store, 20);
        store.BringToDatabase();
        Assert.Equal((20, 20), await CountAsync(store));
        Assert.Equal(1, store.Failures);
        Assert.StartsWith("No connection for other work: ", Assert.Single(_log), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Exchanges_that_the_sums_cannot_be_made_of_are_lost_and_not_tried_for_ever()
    {
        await using var store = Open();
        await store.WriteAsync(new[] { StoreRecords.Next(_random, ++_id, Start) with { ClientAddress = null! } }, Cancellation);
        store.BringToDatabase();
        await AddAsync(store, 5);
        store.BringToDatabase();
        Assert.Equal((5, 5), await CountAsync(store));
        Assert.Equal((1, 1), (store.Dropped, store.Failures));
    }

    [Fact]
    public async Task A_new_day_waits_for_nobody_who_reads()
    {
        await using var store = Open();
        store.BringToDatabase();
        await using var reader = Connect(_address);
        PostgresSchema.Run(reader, "SELECT 'exchanges_20261127'::regclass");
        await using var reading = await reader.BeginTransactionAsync(Cancellation);
        PostgresSchema.Run(reader, "SELECT count(*) FROM exchanges");

        // Tomorrow's is there; that of another day is made.
        await store.WriteAsync(StoreRecords.Batch(_random, ref _id, Start.AddDays(4), 10), Cancellation);
        _time.Advance(TimeSpan.FromDays(5));
        await Task.Run(store.BringToDatabase, Cancellation).WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
        Assert.Equal((10, 10), await CountAsync(store));
        Assert.Empty(_log);
    }

    [Fact]
    public async Task What_is_old_is_so_by_the_clock_of_the_database()
    {
        Assert.SkipWhen(_server.Cluster is null, PostgresServer.Missing);
        await using var watch = Connect(_address);
        await using var store = new PostgresStore(_address, Settings, _log.Add, _time);
        await store.WriteAsync(StoreRecords.Batch(_random, ref _id, PostgresRetention.Now(watch).AddDays(-2), 10), Cancellation);
        store.BringToDatabase();
        _time.Advance(TimeSpan.FromDays(100));
        store.BringToDatabase();
        await UntilAsync(watch, "SELECT count(*) = 10 FROM exchanges");
    }

    [Fact]
    public async Task Who_wrote_is_remembered_longer_than_an_outage_lasts()
    {
        await using var store = Open();
        store.BringToDatabase();
        Run("INSERT INTO writers VALUES (1, 1, now() - interval '20 days'), (2, 1, now() - interval '40 days')");
        _time.Advance(TimeSpan.FromMinutes(2));
        store.BringToDatabase();
        await using var watch = Connect(_address);
        await UntilAsync(watch, "SELECT array_agg(writer) = '{1}' FROM writers WHERE writer IN (1, 2)");
    }

    [Theory]
    [InlineData("postgresql://user:p%40ss@db.internal/exchanges", "Host=db.internal", "Password=p@ss", "Database=exchanges")]
    [InlineData("postgres://db.internal:5433/x?sslmode=verify-full", "Port=5433", "SSL Mode=VerifyFull", "Host=db.internal")]
    [InlineData("postgres://db.internal/x?sslmode=verify-ca&SSL%20Certificate=/etc/my-certs/a-b.pem&Password=a-b", "SSL Mode=VerifyCA", "SSL Certificate=/etc/my-certs/a-b.pem", "Password=a-b")]
    [InlineData("Host=db.internal;Username=me", "Host=db.internal", "Username=me", "Search Path=tidegate")]
    public void Where_a_database_is_can_be_written_as_people_do(string text, params string[] expected)
    {
        var parsed = PostgresAddress.Parse(text)!;
        Assert.All(expected, part => Assert.Contains(part, parsed, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("Username=me")]
    [InlineData("postgresql://h/x?nonsense=1")]
    [InlineData("https://example.com/")]
    public void What_is_no_address_of_a_database_is_none(string text) => Assert.Null(PostgresAddress.Parse(text));

    private PostgresStore Open(int maxWaiting = PostgresStore.DefaultMaxWaiting, long maxWaitingBytes = PostgresStore.DefaultMaxWaitingBytes)
    {
        Assert.SkipWhen(_server.Cluster is null, PostgresServer.Missing);
        return new PostgresStore(_address, Settings, _log.Add, _time, maxWaiting, maxWaitingBytes, _ => _time.GetUtcNow());
    }

    private async Task AddAsync(PostgresStore store, int count) => await store.WriteAsync(StoreRecords.Batch(_random, ref _id, _time.GetUtcNow(), count), Cancellation);

    private async Task<(int Found, long Summed)> CountAsync(PostgresStore store)
    {
        await using var reader = new StoreReader(store, _time);
        var found = await reader.FindAsync(new ExchangeSearch { From = Start.AddDays(-1), To = _time.GetUtcNow().AddDays(1), Limit = ExchangeSearch.MaxLimit }, Cancellation);
        var series = await reader.SeriesAsync(new SeriesQuery { From = Start.AddDays(-1), To = _time.GetUtcNow().AddDays(1), Step = TimeSpan.FromHours(1) }, Cancellation);
        return (found.Select(record => record.Id).Distinct().Count() == found.Count ? found.Count : -1, series.Total.Cell.Count);
    }

    /// <summary>Where old sums are let go of, of which there need not be any.</summary>
    private void RunAtUpkeep(string statements) => Run($"""
        CREATE FUNCTION tidegate.at_upkeep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statements}; RETURN NULL; END $$;
        CREATE TRIGGER at_upkeep BEFORE DELETE ON minutes FOR EACH STATEMENT EXECUTE FUNCTION tidegate.at_upkeep();
        """);

    private static async Task UntilAsync(NpgsqlConnection connection, string question)
    {
        for (var tries = 0; ; tries++)
        {
            await using var command = new NpgsqlCommand(question, connection);
            if (await command.ExecuteScalarAsync(Cancellation) is true)
            {
                return;
            }

            Assert.True(tries < 6_000, question);
            await Task.Delay(10, Cancellation);
        }
    }

    private static NpgsqlConnection Connect(string address)
    {
        // Of a pool one may be dead that a server had which ended in another test.
        var connection = new NpgsqlConnection(address + ";Pooling=false");
        connection.Open();
        return connection;
    }

    private void Run(string sql)
    {
        using var connection = Connect(_address);
        PostgresSchema.Run(connection, sql);
    }
}
