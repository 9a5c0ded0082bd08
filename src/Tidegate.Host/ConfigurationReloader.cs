using System.Security.Cryptography;
using Tidegate.Configuration;

namespace Tidegate.Host;

/// <summary>
/// Loads the configuration again when one of its files, or a certificate that it names, has changed, and on demand (SIGHUP). A bad
/// one leaves the old in force and says why.
/// </summary>
/// <remarks>Files are looked at, not watched: notifications get lost on network file systems and when a mounted volume swaps a link.</remarks>
internal sealed class ConfigurationReloader : IAsyncDisposable
{
    // As fast as a person can look whether it worked; a look costs a few microseconds for each file.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly string _file;
    private readonly Func<long> _version;
    private readonly Action<CompiledConfiguration> _apply;
    private readonly CompilerServices _services;
    private readonly SystemdNotifier _systemd;
    private readonly Action<string> _log;
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _now = new(0);
    private readonly Task _loop;
    private IReadOnlyList<string> _files;
    private string _stamp;

    public ConfigurationReloader(string file, LoadedConfiguration loaded, CompiledConfiguration compiled, GatewayProcess gateway, CompilerServices services, SystemdNotifier systemd, Action<string> log)
    {
        _file = file;
        _version = () => gateway.Version;
        _apply = gateway.Apply;
        _services = services;
        _systemd = systemd;
        _log = log;
        _files = Files(loaded, compiled);
        _stamp = Stamp();
        _loop = LoopAsync();
    }

    /// <summary>Loads again at once, changed or not.</summary>
    public void ReloadNow() => _now.Release();

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        _stopping.Dispose();
        _now.Dispose();
    }

    private async Task LoopAsync()
    {
        try
        {
            while (true)
            {
                var isAsked = await _now.WaitAsync(Interval, _stopping.Token);
                var stamp = Stamp();
                if (isAsked || stamp != _stamp)
                {
                    _stamp = stamp;
                    _systemd.Reloading();
                    Reload();
                    _systemd.Ready($"Serving, version {_version()} of the configuration.");
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The process ends; what is in force no longer matters.
            return;
        }
    }

    private void Reload()
    {
        var loaded = ConfigurationLoader.Load(_file);
        var (compiled, problems) = SnapshotCompiler.Compile(loaded, _services, _version() + 1);
        foreach (var problem in problems)
        {
            _log(problem.ToString());
        }

        try
        {
            if (compiled is not null)
            {
                _apply(compiled);
                _files = Files(loaded, compiled);
                _stamp = Stamp();
                _log($"Reloaded {_file}: version {_version()} is in force. Listener addresses, and TLS on or off, change at the next start.");
                return;
            }
        }
        catch (Exception unusable) when (unusable is CryptographicException or IOException)
        {
            _log($"A certificate cannot be used: {unusable.Message}");
        }

        _log($"Not reloaded: version {_version()} stays in force. Correct {_file}; it is read again when it changes.");
    }

    private static IReadOnlyList<string> Files(LoadedConfiguration loaded, CompiledConfiguration compiled) =>
    [
        .. loaded.Files,
        .. compiled.Listeners.SelectMany(listener => listener.Authority is null ? listener.Certificates : [.. listener.Certificates, listener.Authority])
            .SelectMany(files => new[] { files.Certificate, files.Key }),
    ];

    private string Stamp() => string.Join('|', _files.Select(file => new FileInfo(file) is { Exists: true } found ? $"{found.ResolveLinkTarget(returnFinalTarget: true)?.FullName}{File.GetLastWriteTimeUtc(file).Ticks}:{found.Length}" : "gone"));
}
