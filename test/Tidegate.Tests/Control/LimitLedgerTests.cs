using Microsoft.Extensions.Time.Testing;
using Tidegate.Control.Ledger;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Learning;
using Xunit;

namespace Tidegate.Tests.Control;

public sealed class LimitLedgerTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tidegate-ledger-");
    private readonly List<string> _log = [];

    public static TheoryData<string> Kinds => ["rate", "bucket", "quota"];

    public void Dispose() => _directory.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_restart_in_the_middle_goes_on_with_what_was_counted(string kind)
    {
        var time = Clock();
        await using (var ledger = LimitLedger.Open(_directory.FullName, _log.Add, time))
        {
            Assert.Equal(7, Take(ledger, kind, time, 7));
        }

        // Another process, whose clock of the machine began anew, ten minutes later.
        var later = Clock(minutes: 10);
        await using var next = LimitLedger.Open(_directory.FullName, _log.Add, later);
        var expected = kind == "bucket" ? 10 - 7 + 1 : 3;
        Assert.Equal(expected, Take(next, kind, later, 20));
        Assert.Empty(_log);
    }

    [Fact]
    public async Task What_is_over_is_not_counted_by_the_next_process()
    {
        var time = Clock();
        await using (var ledger = LimitLedger.Open(_directory.FullName, _log.Add, time))
        {
            Take(ledger, "rate", time, 10);
            Take(ledger, "quota", time, 10);
        }

        var later = Clock(minutes: 61);
        await using var next = LimitLedger.Open(_directory.FullName, _log.Add, later);
        Assert.Equal(10, Take(next, "rate", later, 20));
        Assert.Equal(10, Take(next, "quota", later, 20));
    }

    [Fact]
    public async Task A_process_that_is_killed_loses_no_more_than_its_last_second()
    {
        var time = Clock();
        var killed = LimitLedger.Open(_directory.FullName, _log.Add, time);
        killed.Start();
        Assert.Equal(6, Take(killed, "quota", time, 6));
        for (var started = TimeProvider.System.GetTimestamp(); Saved() == 0; await Task.Delay(10, TestContext.Current.CancellationToken))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(60), "Nothing was saved.");
            time.Advance(TimeSpan.FromSeconds(1));
        }

        Take(killed, "quota", time, 1);
        var later = Clock(minutes: 1);
        await using (var next = LimitLedger.Open(_directory.FullName, _log.Add, later))
        {
            Assert.Equal(4, Take(next, "quota", later, 20));
        }

        await killed.DisposeAsync();

        int Saved() => Rows("SELECT COUNT(*) FROM limit_counts");
    }

    [Fact]
    public async Task Counts_that_say_no_more_than_fresh_ones_leave_the_disk()
    {
        var time = Clock();
        await using (var ledger = LimitLedger.Open(_directory.FullName, _log.Add, time))
        {
            Take(ledger, "rate", time, 3);
            Take(ledger, "bucket", time, 3);
        }

        Assert.Equal(2, Rows("SELECT COUNT(*) FROM limit_counts"));
        await using (LimitLedger.Open(_directory.FullName, _log.Add, Clock(minutes: 20)))
        {
            Assert.Equal(1, Rows("SELECT COUNT(*) FROM limit_counts"));
        }

        await using (LimitLedger.Open(_directory.FullName, _log.Add, Clock(minutes: 61)))
        {
            Assert.Equal(0, Rows("SELECT COUNT(*) FROM limit_counts"));
        }
    }

    [Fact]
    public async Task What_could_not_be_saved_is_saved_when_that_is_possible_again()
    {
        var time = Clock();
        var ledger = LimitLedger.Open(_directory.FullName, _log.Add, time);
        await using (var other = Open())
        {
            using var hold = other.BeginTransaction(deferred: false);
            ledger.Start();
            Take(ledger, "quota", time, 2);
            for (var started = TimeProvider.System.GetTimestamp(); ledger.Failures == 0; await Task.Delay(10, TestContext.Current.CancellationToken))
            {
                Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(60), "It was saved all the same.");
                time.Advance(TimeSpan.FromSeconds(1));
            }

            Assert.True(ledger.Store.IsLedgerDown);
            Take(ledger, "quota", time, 2);
        }

        await ledger.DisposeAsync();
        await using var next = LimitLedger.Open(_directory.FullName, _log.Add, Clock(minutes: 3));
        Assert.Equal(6, Take(next, "quota", Clock(minutes: 3), 20));
    }

    [Fact]
    public async Task Rates_that_are_over_in_a_minute_are_not_worth_a_write()
    {
        var time = Clock();
        await using var ledger = LimitLedger.Open(_directory.FullName, _log.Add, time);
        ledger.Store.Cells.Take(new SlidingWindow(10, time.TimestampFrequency * 60, Ticks(time)), 1, 1, time.GetTimestamp());
        var changed = new List<SavedCount>();
        ledger.Store.Cells.TakeChanged(changed);

        Assert.Empty(changed);
    }

    [Fact]
    public async Task A_file_that_is_no_ledger_costs_the_counts_and_not_the_traffic()
    {
        await File.WriteAllTextAsync(Path.Combine(_directory.FullName, LimitLedger.FileName), new string('x', 10_000), TestContext.Current.CancellationToken);
        var time = Clock();
        await using var ledger = LimitLedger.Open(_directory.FullName, _log.Add, time);

        Assert.Contains("cannot be used", Assert.Single(_log), StringComparison.Ordinal);
        Assert.True(ledger.Store.IsLedgerDown);
        Assert.Equal(1, ledger.Failures);
        Assert.Equal(10, Take(ledger, "quota", time, 20));
    }

    [Fact]
    public async Task What_a_reload_needs_first_is_saved_from_then_on()
    {
        var time = Clock();
        await using (var ledger = LimitLedger.Open(_directory.FullName, _log.Add, time, isNeeded: false))
        {
            Assert.False(File.Exists(Path.Combine(_directory.FullName, LimitLedger.FileName)));
            ledger.Need();
            Assert.Equal(7, Take(ledger, "quota", time, 7));
        }

        // The next one does not need it yet either, and finds the same keys all the same.
        var later = Clock(minutes: 1);
        await using var next = LimitLedger.Open(_directory.FullName, _log.Add, later, isNeeded: false);
        next.Need();
        Assert.Equal(3, Take(next, "quota", later, 20));
        Assert.Empty(_log);
    }

    [Fact]
    public async Task What_a_reload_needs_and_cannot_be_opened_is_told_counted_and_tried_again()
    {
        var time = Clock();
        var path = Path.Combine(_directory.FullName, "state");
        await File.WriteAllTextAsync(path, "no directory", TestContext.Current.CancellationToken);
        await using var ledger = LimitLedger.Open(path, _log.Add, time, isNeeded: false);
        ledger.Start();
        Assert.False(ledger.Store.IsLedgerDown);

        ledger.Need();
        Assert.True(ledger.Store.IsLedgerDown);
        Assert.Equal(1, ledger.Failures);
        Assert.Contains("cannot be used", Assert.Single(_log), StringComparison.Ordinal);

        File.Delete(path);
        for (var started = TimeProvider.System.GetTimestamp(); ledger.Store.IsLedgerDown; await Task.Delay(10, TestContext.Current.CancellationToken))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(20), "It was not tried again.");
            time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal("Limits: counts are saved again.", _log[^1]);
    }

    [Fact]
    public async Task Counts_of_another_processs_keys_are_not_written_over()
    {
        var time = Clock();
        await using var ledger = LimitLedger.Open(_directory.FullName, _log.Add, time, isNeeded: false);
        await using (var other = LimitLedger.Open(_directory.FullName, _log.Add, time))
        {
            Take(other, "quota", time, 7);
        }

        ledger.Need();
        Assert.True(ledger.Store.IsLedgerDown);
        Assert.Contains("another process", Assert.Single(_log), StringComparison.Ordinal);
        Assert.Equal(1, Rows("SELECT COUNT(*) FROM limit_counts"));
    }

    [Fact]
    public async Task A_providers_long_cool_down_goes_on_after_a_restart_and_a_short_one_makes_no_file()
    {
        var settings = new LearningSettings();
        var time = Clock();
        await using (var ledger = LimitLedger.Open(_directory.FullName, _log.Add, time, isNeeded: false))
        {
            ledger.Store.ProviderOf("short").ScopeOf(0, settings).Cool(TimeSpan.FromSeconds(30), time.GetTimestamp());
        }

        Assert.Empty(_directory.GetFiles());
        await using (var ledger = LimitLedger.Open(_directory.FullName, _log.Add, time, isNeeded: false))
        {
            ledger.Store.ProviderOf("api").ScopeOf(0, settings).Cool(TimeSpan.FromHours(20), time.GetTimestamp());
            ledger.Store.ProviderOf("short").ScopeOf(0, settings).Cool(TimeSpan.FromSeconds(30), time.GetTimestamp());
        }

        var later = Clock(minutes: 60);
        await using (var next = LimitLedger.Open(_directory.FullName, _log.Add, later, isNeeded: false))
        {
            Assert.Equal(19 * 3_600, Cooling(next, "api", later), 1);
            Assert.Equal(19 * 3_600, next.Store.ProviderOf("api").CoolingSeconds(), 1);
            Assert.Equal(0, Cooling(next, "short", later));
            Assert.Equal(0, Cooling(next, "other", later));
        }

        var over = Clock(minutes: 21 * 60);
        await using var last = LimitLedger.Open(_directory.FullName, _log.Add, over, isNeeded: false);
        Assert.Equal(0, Cooling(last, "api", over));
        Assert.Empty(_log);

        double Cooling(LimitLedger ledger, string api, FakeTimeProvider clock)
        {
            var limit = ledger.Store.ProviderOf(api).ScopeOf(0, settings).Limits(settings)[0];
            return ledger.Store.Cells.Take(limit.Algorithm, limit.OnlyKey, 1, clock.GetTimestamp()) / (double)clock.TimestampFrequency;
        }
    }

    [Fact]
    public async Task Only_the_gateways_user_may_read_it()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no modes.");
        await using var ledger = LimitLedger.Open(_directory.FullName, _log.Add, Clock());
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_directory.FullName, LimitLedger.FileName)));
        }
    }

    private int Rows(string sql)
    {
        using var database = Open();
        using var command = database.CreateCommand();
        command.CommandText = sql;
        return Convert.ToInt32(command.ExecuteScalar(), System.Globalization.CultureInfo.InvariantCulture);
    }

    private Microsoft.Data.Sqlite.SqliteConnection Open()
    {
        var database = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={Path.Combine(_directory.FullName, LimitLedger.FileName)};Pooling=False");
        database.Open();
        return database;
    }

    private static FakeTimeProvider Clock(int minutes = 0) => new(new DateTimeOffset(2026, 11, 25, 10, 0, 0, TimeSpan.Zero).AddMinutes(minutes));

    private static double Ticks(FakeTimeProvider time) => (double)time.TimestampFrequency / TimeSpan.TicksPerSecond;

    private static int Take(LimitLedger ledger, string kind, FakeTimeProvider time, int tries)
    {
        var hour = time.TimestampFrequency * 3_600;
        LimitAlgorithm algorithm = kind switch
        {
            "rate" => new SlidingWindow(10, hour, Ticks(time)),
            "bucket" => new TokenBucket(10, hour, 10, Ticks(time)),
            _ => new CalendarWindow(10, new CalendarPeriod(CalendarUnit.Hour, TimeZoneInfo.Utc), time),
        };
        return Enumerable.Range(0, tries).Count(_ => ledger.Store.Cells.Take(algorithm, (UInt128)kind.Length, 1, time.GetTimestamp()) == 0);
    }
}
