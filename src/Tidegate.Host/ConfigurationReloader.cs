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
    private readonly GatewayProcess _gateway;
    private readonly SystemdNotifier _systemd;
    private readonly Action<string> _log;
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _now = new(0);
    private readonly Task _loop;
    private HashSet<ConfigProblem> _toldWarnings;
    private IReadOnlyList<FileStamp> _seen;

    public ConfigurationReloader(string file, GatewayProcess gateway, SystemdNotifier systemd, Action<string> log)
    {
        _file = file;
        _gateway = gateway;
        _systemd = systemd;
        _log = log;
        _toldWarnings = [.. gateway.Configuration.Warnings];
        _seen = gateway.Configuration.Watched;
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
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                var isAsked = await _now.WaitAsync(Interval, _stopping.Token);
                IReadOnlyList<FileStamp> now = [.. _seen.Select(stamp => FileStamp.Of(stamp.Path))];
                if (isAsked || !now.SequenceEqual(_seen))
                {
                    _seen = now;
                    _systemd.Reloading();
                    Reload();
                    _systemd.Ready($"Serving, version {_gateway.Version} of the configuration.");
                }
            }
            catch (OperationCanceledException)
            {
                // The process ends; what is in force no longer matters.
                return;
            }
            catch (Exception bug)
            {
                // One file that we cannot handle must not be the last one that is looked at.
                _log($"The reload failed inside the gateway; version {_gateway.Version} stays in force: {bug}");
            }
        }
    }

    private void Reload()
    {
        var result = _gateway.Reload(ConfigurationLoader.Load(_file));
        foreach (var problem in result.Problems.Where(problem => problem.Severity == ConfigSeverity.Error || !_toldWarnings.Contains(problem)))
        {
            _log(problem.ToString());
        }

        // A warning is told when it is new; a bad file in between does not make it new.
        var warnings = result.Problems.Where(problem => problem.Severity == ConfigSeverity.Warning);
        _toldWarnings = result.IsInForce ? [.. warnings] : [.. _toldWarnings, .. warnings];
        if (result.IsInForce)
        {
            _seen = _gateway.Configuration.Watched;
            _log($"Reloaded {_file}: version {_gateway.Version} is in force. Addresses, TLS on or off, recording and what is exported change at the next start.");
            return;
        }

        if (result.Failure is { } failure)
        {
            _log(failure);
        }

        _log($"Not reloaded: version {_gateway.Version} stays in force. Correct {_file}; it is read again when it changes.");
    }
}
