using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Time.Testing;
using Tidegate.Configuration;
using Tidegate.Control;
using Tidegate.Control.Admin;
using Tidegate.Control.Store;
using Tidegate.Control.Store.Queries;
using Tidegate.Control.Store.Segments;
using Tidegate.Tests.Control.Store;
using Xunit;

namespace Tidegate.Tests.Control;

/// <summary>How many exports there are at once, whose, and for how long.</summary>
public sealed class ExchangeExportTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 11, 26, 10, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly FakeTimeProvider _time = new(Start);
    private readonly string _directory = Directory.CreateTempSubdirectory("tidegate-export-places-").FullName;
    private readonly EngineMemory _memory = new();
    private readonly List<string> _log = [];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task A_person_has_one_export_at_a_time_others_have_theirs_and_there_are_four_in_all()
    {
        await using var store = await FilledAsync();
        await using var reader = new StoreReader(store, _time);
        using var folder = Folder();
        var export = New(reader, folder);
        var stalled = new List<StalledBody>();
        var running = new List<Task>();
        foreach (var name in (string[])["ana", "bob", "cleo"])
        {
            running.Add(await BeginAsync(export, AdminCaller.Of(name, AdminRole.Viewer, []), stalled));
        }

        Assert.Equal(503, await AskAsync(export, AdminCaller.Of("ana", AdminRole.Viewer, [])));
        running.Add(await BeginAsync(export, AdminCaller.Token, stalled));
        Assert.Equal(503, await AskAsync(export, AdminCaller.Token));
        stalled.ForEach(body => body.GoOn());
        await Task.WhenAll(running).WaitAsync(Patience, Cancellation);
        Assert.Equal(200, await AskAsync(export, AdminCaller.Of("ana", AdminRole.Viewer, [])));
    }

    [Fact]
    public async Task Whoever_has_the_token_is_many_and_may_have_several()
    {
        await using var store = await FilledAsync();
        await using var reader = new StoreReader(store, _time);
        using var folder = Folder();
        var export = New(reader, folder);
        var stalled = new List<StalledBody>();
        Task[] running = [await BeginAsync(export, AdminCaller.Token, stalled), await BeginAsync(export, AdminCaller.Token, stalled)];
        stalled.ForEach(body => body.GoOn());
        await Task.WhenAll(running).WaitAsync(Patience, Cancellation);
    }

    [Fact]
    public async Task A_reader_that_takes_too_long_is_cut_off_and_its_place_is_free()
    {
        await using var store = await FilledAsync();
        await using var reader = new StoreReader(store, _time);
        using var folder = Folder();
        var export = New(reader, folder);
        var stalled = new List<StalledBody>();
        var running = await BeginAsync(export, AdminCaller.Of("ana", AdminRole.Viewer, []), stalled);
        _time.Advance(TimeSpan.FromMinutes(6));
        await running.WaitAsync(Patience, Cancellation);

        // What was sent must not look whole.
        Assert.True(stalled[0].WasAborted);
        Assert.Equal(200, await AskAsync(export, AdminCaller.Of("ana", AdminRole.Viewer, [])));
    }

    [Fact]
    public async Task What_a_process_that_was_killed_left_behind_is_gone_and_nothing_stays_of_a_file_that_was_sent()
    {
        var left = Path.Combine(Exports, Guid.NewGuid().ToString("N"));
        Directory.CreateDirectory(left);
        await File.WriteAllTextAsync(left + ".held", "", Cancellation);
        await File.WriteAllTextAsync(Path.Combine(left, "exchanges.parquet"), "half", Cancellation);
        await using var store = await FilledAsync();
        await using var reader = new StoreReader(store, _time);
        using (var folder = Folder())
        {
            Assert.Empty(Directory.GetFileSystemEntries(Exports));
            Assert.Equal(200, await AskAsync(New(reader, folder), AdminCaller.Token, ExportFormat.Parquet));
            Assert.Empty(Directory.GetFileSystemEntries(Assert.Single(Directory.GetDirectories(Exports))));
        }

        Assert.Empty(Directory.GetFileSystemEntries(Exports));
        Assert.Empty(_log);
    }

    [Fact]
    public void What_another_gateway_is_about_to_send_and_what_is_somebody_elses_stays()
    {
        using var other = Folder();
        var running = other.Begin();
        var notes = Directory.CreateDirectory(Path.Combine(Exports, "notes")).FullName;
        var temporary = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), "exports", Guid.NewGuid().ToString("N"))).FullName;
        try
        {
            Folder().Dispose();
            using (var nowhere = new ExportFolder(null, _log.Add))
            {
                Assert.StartsWith("tidegate-exports-", Path.GetFileName(Path.GetDirectoryName(nowhere.Begin())), StringComparison.Ordinal);
            }

            Assert.True(Directory.Exists(running));
            Assert.True(Directory.Exists(notes));
            Assert.True(Directory.Exists(temporary));
        }
        finally
        {
            Directory.Delete(temporary);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Nobody_but_the_gateways_user_may_read_what_is_exported(bool hasFolder)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There are no modes.");
        await using var store = await FilledAsync();
        await using var reader = new StoreReader(store, _time);
        using var folder = new ExportFolder(hasFolder ? _directory : null, _log.Add);
        var stalled = new List<StalledBody>();
        var probe = folder.Begin();
        var running = await BeginAsync(New(reader, folder), AdminCaller.Token, stalled, ExportFormat.Parquet);
        var own = Path.GetDirectoryName(probe)!;
        const UnixFileMode OwnersOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        Assert.All(Directory.GetDirectories(own).Append(own).Append(hasFolder ? Exports : own), path => Assert.Equal(OwnersOnly, ModeOf(path)));
        var file = Assert.Single(Directory.GetFiles(own, "*", SearchOption.AllDirectories));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, ModeOf(file));
        stalled[0].GoOn();
        await running.WaitAsync(Patience, Cancellation);
    }

    [Fact]
    public void A_folder_that_was_open_to_others_is_closed()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There are no modes.");
        var folder = Path.Combine(_directory, "state");
        Directory.CreateDirectory(folder);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        }

        PrivateFolder.Make(folder);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, ModeOf(folder));
    }

    [Fact]
    public async Task A_folder_that_cannot_be_used_is_trouble_of_files_alone_and_is_logged()
    {
        await using var store = await FilledAsync();
        await using var reader = new StoreReader(store, _time);
        await File.WriteAllTextAsync(Exports, "no directory", Cancellation);
        using var folder = Folder();
        var export = New(reader, folder);
        Assert.Equal(503, await AskAsync(export, AdminCaller.Token, ExportFormat.Parquet));
        Assert.Contains("cannot be exported", Assert.Single(_log), StringComparison.Ordinal);
        Assert.Equal(200, await AskAsync(export, AdminCaller.Token));
        Assert.Equal("no directory", await File.ReadAllTextAsync(Exports, Cancellation));
    }

    private static UnixFileMode ModeOf(string path) => OperatingSystem.IsWindows() ? throw new PlatformNotSupportedException() : File.GetUnixFileMode(path);

    private string Exports => Path.Combine(_directory, "exports");

    private static ExchangeSearch Search => new() { From = Start.AddHours(-1), To = Start.AddHours(1), Limit = 10 };

    private ExportFolder Folder() => new(_directory, _log.Add);

    private ExchangeExport New(StoreReader reader, ExportFolder folder) => new(reader, folder, _memory, _log.Add, _time);

    private async Task<ExchangeStore> FilledAsync()
    {
        var store = ExchangeStore.Open(new StoreSettings { Directory = _directory, MaxBytes = 1 << 30, MaxAge = TimeSpan.FromDays(30) }, static _ => { }, _time);
        ulong id = 0;
        await store.WriteAsync(StoreRecords.Batch(new Random(1), ref id, Start, 3), Cancellation);
        store.BringToDisk(isLast: false);
        return store;
    }

    private static DefaultHttpContext Context(AdminCaller caller, Stream body)
    {
        var context = new DefaultHttpContext();
        context.Features.Set(caller);
        context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(body));
        if (body is StalledBody stalled)
        {
            context.Features.Set<IHttpResponseFeature>(new StartedResponse(stalled));
            context.Features.Set<IHttpRequestLifetimeFeature>(stalled);
        }

        return context;
    }

    private static async Task<int> AskAsync(ExchangeExport export, AdminCaller caller, ExportFormat format = ExportFormat.Csv)
    {
        var context = Context(caller, new MemoryStream());
        await export.AnswerAsync(context, Search, format).WaitAsync(Patience, Cancellation);
        return context.Response.StatusCode;
    }

    /// <summary>An export whose reader does not read.</summary>
    private static async Task<Task> BeginAsync(ExchangeExport export, AdminCaller caller, List<StalledBody> stalled, ExportFormat format = ExportFormat.Csv)
    {
        var body = new StalledBody();
        stalled.Add(body);
        var running = export.AnswerAsync(Context(caller, body), Search, format);
        await body.Reached.WaitAsync(Patience, Cancellation);
        return running;
    }

    private sealed class StartedResponse(StalledBody body) : HttpResponseFeature
    {
        public override bool HasStarted => body.Reached.IsCompleted;
    }

    private sealed class StalledBody : MemoryStream, IHttpRequestLifetimeFeature
    {
        private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Reached => _reached.Task;

        public bool WasAborted { get; private set; }

        public CancellationToken RequestAborted { get; set; }

        public void Abort() => WasAborted = true;

        public void GoOn() => _goOn.TrySetResult();

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            _reached.TrySetResult();
            await _goOn.Task.WaitAsync(cancellationToken);
        }
    }
}
