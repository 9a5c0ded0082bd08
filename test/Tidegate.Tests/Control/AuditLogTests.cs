using Microsoft.Extensions.Time.Testing;
using Tidegate.Control.Audit;
using Xunit;

namespace Tidegate.Tests.Control;

public sealed class AuditLogTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<string> _told = [];
    private readonly string _directory = Directory.CreateTempSubdirectory("tidegate-audit-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void What_was_done_is_still_known_after_a_death_in_the_middle_of_a_line()
    {
        Open().Add("ana", "10.0.0.1", "purge", "api=stripe");
        File.AppendAllText(Path.Combine(_directory, AuditLog.FileName), "{\"time\":\"2026-");
        var next = Open();
        next.Add("bob\n", "", "sign_in", "", succeeded: false);

        Assert.Equal([("bob\n", "sign_in", false), ("ana", "purge", true)], next.Recent(10).Select(entry => (entry.Who, entry.Action, entry.Succeeded)));
        Assert.Equal(["bob\n", "ana"], Open().Recent(10).Select(entry => entry.Who));
        Assert.Empty(_told);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_directory, AuditLog.FileName)));
        }
    }

    [Fact]
    public void Whoever_guesses_passwords_does_not_push_out_what_others_did()
    {
        var audit = Open();
        audit.Add("ana", "", "purge", "all=True");
        for (var i = 0; i < 10_000; i++)
        {
            audit.Add("ana", "10.0.0.9", "sign_in", "", succeeded: false);
        }

        _time.Advance(TimeSpan.FromMinutes(1));
        audit.Add("ana", "", "sign_in", "");

        var recent = audit.Recent(AuditLog.Kept);
        Assert.Equal(18, recent.Count);
        Assert.Equal("purge", recent[^1].Action);
        Assert.Equal("9985 failed attempts, more than 15 a minute from one address or 60 in all", recent[1].Detail);
    }

    [Fact]
    public void Failures_from_one_address_do_not_hide_those_from_another()
    {
        var audit = Open();
        for (var i = 0; i < 100; i++)
        {
            audit.Add("", "10.0.0.9", "sign_in", "by the identity provider: nonsense", succeeded: false);
        }

        audit.Add("ana", "10.0.0.1", "sign_in", "Name or password is wrong.", succeeded: false);
        Assert.Equal(("ana", 17), (audit.Recent(1)[0].Who, audit.Recent(AuditLog.Kept).Count));

        for (var address = 0; address < 200; address++)
        {
            audit.Add("", $"10.0.1.{address}", "sign_in", "", succeeded: false);
        }

        Assert.Equal(61, audit.Recent(AuditLog.Kept).Count);
    }

    [Fact]
    public void Files_are_bounded_and_the_last_entries_stay()
    {
        var audit = new AuditLog(_directory, _told.Add, _time, maxFileBytes: 2_000);
        for (var i = 0; i < 500; i++)
        {
            audit.Add("ana", "", "purge", "number " + i);
        }

        Assert.Equal(4, Directory.GetFiles(_directory).Length);
        Assert.All(Directory.GetFiles(_directory), file => Assert.InRange(new FileInfo(file).Length, 0, 2_300));
        Assert.Equal("number 499", Open().Recent(1)[0].Detail);
    }

    [Fact]
    public void What_cannot_be_written_is_counted_said_once_and_stays_in_memory()
    {
        var audit = Open();
        Directory.Delete(_directory, recursive: true);
        audit.Add("ana", "", "purge", "");
        audit.Add("ana", "", "purge", "");
        Directory.CreateDirectory(_directory);

        Assert.Equal((2, 2), (audit.Failures, audit.Recent(10).Count));
        Assert.Contains("tidegate_audit_failures_total", Assert.Single(_told), StringComparison.Ordinal);
    }

    private AuditLog Open() => new(_directory, _told.Add, _time);
}
