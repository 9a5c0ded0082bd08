using System.Globalization;
using Tidegate.Exchanges;
using Tidegate.Recording;

namespace Tidegate.Control.Inventory;

/// <summary>
/// What is called and what we offer, found from traffic: hosts, their paths with what varies taken for parameters, methods, callers, and by which fields they say who they are. Fed on the recorder's
/// thread; bounded; kept in a file over restarts.
/// </summary>
internal sealed class ApiInventory : IExchangeSink, IAsyncDisposable
{
    public const string FileName = "inventory.json";

    /// <summary>Hosts that no API lists: a client can name any.</summary>
    public const int MaxHosts = 500;

    /// <summary>Hosts of APIs, and APIs of ours. The configuration bounds them, but for names under a wildcard.</summary>
    public const int MaxListedHosts = 1_500;

    // A client can name any host: those that were only refused take a part.
    private const int MaxDeniedHosts = 100;

    // Of all hosts together: some 10 MB.
    private const int MaxEndpoints = 10_000;

    // How many that find no room until it is looked whether there is some after all.
    private const int RecountEvery = 1_000;

    private const string NotListed = "host_not_listed";
    private static readonly TimeSpan SaveEvery = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private readonly Dictionary<(Direction Direction, string Host), FoundHost> _hosts = [];
    private readonly Dictionary<(string Host, int Port), string> _labels = [];
    private readonly InventoryMemory _memory = new();
    private readonly InventoryFile? _file;
    private readonly Action<string> _log;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _saving;
    private int _endpoints;
    private int _denied;
    private int _listed;
    private bool _isChanged;
    private bool _isTold;
    private long _droppedHosts;
    private long _droppedEndpoints;

    /// <param name="directory">Where it is kept; null: nowhere.</param>
    /// <param name="log">Takes one line.</param>
    /// <param name="time">The clock.</param>
    public ApiInventory(string? directory, Action<string> log, TimeProvider time)
    {
        _log = log;
        _file = directory is null ? null : new InventoryFile(Path.Combine(directory, FileName), log);
        foreach (var host in _file?.Read() ?? [])
        {
            _hosts[(host.Direction, host.Host)] = host;
            _endpoints += host.Endpoints;
            _denied += host.IsDenied ? 1 : 0;
            _listed += host.Apis.Count > 0 ? 1 : 0;
        }

        _saving = _file is null ? Task.CompletedTask : SaveAsync(time);
    }

    /// <inheritdoc/>
    public string Name => "inventory";

    /// <summary>Exchanges with hosts for which there was no room.</summary>
    public long DroppedHosts => Interlocked.Read(ref _droppedHosts);

    /// <summary>Exchanges with paths or methods for which there was no room.</summary>
    public long DroppedEndpoints => Interlocked.Read(ref _droppedEndpoints);

    /// <summary>Hosts that are known.</summary>
    public int Hosts
    {
        get
        {
            lock (_gate)
            {
                return _hosts.Count;
            }
        }
    }

    /// <summary>Whether a host was refused because no API lists it.</summary>
    public static bool IsDenied(in ExchangeRecord record) => record.Outcome == Outcome.Rejected && record.Code == NotListed;

    /// <inheritdoc/>
    public ValueTask WriteAsync(ReadOnlyMemory<ExchangeRecord> batch, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            foreach (ref readonly var record in batch.Span)
            {
                Add(in record);
            }

            _isChanged = true;
        }

        return default;
    }

    /// <summary>Reads what is known, by direction and name, while nothing is added.</summary>
    public void Read(Action<FoundHost> read)
    {
        lock (_gate)
        {
            foreach (var host in _hosts.Values.OrderBy(host => host.Direction).ThenBy(host => host.Host, StringComparer.Ordinal))
            {
                read(host);
            }
        }
    }

    /// <summary>Brings what is known to the disk, if it has changed.</summary>
    public void Save()
    {
        byte[]? content = null;
        lock (_gate)
        {
            if (_file is null || !_isChanged)
            {
                return;
            }

            _isChanged = false;
            content = InventoryFile.Write(_hosts.Values);
        }

        try
        {
            _file.Save(content);
            _isTold = false;
        }
        catch (Exception trouble) when (trouble is IOException or UnauthorizedAccessException)
        {
            lock (_gate)
            {
                _isChanged = true;
            }

            if (!_isTold)
            {
                _isTold = true;
                _log($"The inventory cannot be kept: {trouble.Message} It goes on in memory.");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _saving;
        Save();
        _stopping.Dispose();
    }

    private async Task SaveAsync(TimeProvider time)
    {
        using var timer = new PeriodicTimer(SaveEvery, time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token))
            {
                Save();
            }
        }
        catch (OperationCanceledException)
        {
            // The last of it is DisposeAsync's.
            return;
        }
    }

    private void Add(in ExchangeRecord record)
    {
        if (_memory.Find(in record, out var known))
        {
            known.Host.Add(in record);
            known.Endpoint.Add(in record);
            return;
        }

        if (HostOf(in record) is not { } host)
        {
            return;
        }

        var wasDenied = host.IsDenied && host.Calls > 0;
        var wasListed = host.Apis.Count > 0;
        host.Add(in record);
        _listed += !wasListed && host.Apis.Count > 0 ? 1 : 0;
        _denied += (host.IsDenied ? 1 : 0) - (wasDenied ? 1 : 0);
        if (record.Method == "CONNECT" || record.Outcome == Outcome.Rejected)
        {
            return;
        }

        // What nobody ever got an answer from is a guess of the client's, and many send whatever was guessed to a page where one signs in.
        var isThere = record.Outcome is Outcome.Forwarded or Outcome.ServedFromCache && record.Status is 101 or (>= 200 and < 300) or 304 or 402 or 409 or 422 or 429;
        var before = host.Endpoints;
        var endpoint = host.Find(record.Path, record.Method, isThere && _endpoints < MaxEndpoints);
        _endpoints += host.Endpoints - before;
        if (endpoint is not null)
        {
            endpoint.Add(in record);
            _memory.Keep(in record, host, endpoint);
        }
        else if (isThere && Interlocked.Increment(ref _droppedEndpoints) % RecountEvery == 1)
        {
            _endpoints -= host.Endpoints;
            host.Recount();
            _endpoints += host.Endpoints;
        }
    }

    private FoundHost? HostOf(in ExchangeRecord record)
    {
        var name = record.Direction == Direction.Ingress ? record.Api : record.Host.Length == 0 ? "" : LabelOf(in record);
        if (name.Length == 0)
        {
            return null;
        }

        if (_hosts.TryGetValue((record.Direction, name), out var host))
        {
            return host;
        }

        var isDenied = IsDenied(in record);
        var isReached = record.Direction == Direction.Ingress || record.Outcome is Outcome.Forwarded or Outcome.ServedFromCache || (record.Outcome is Outcome.Failed or Outcome.ServedFromFallback && record.Api.Length > 0);
        if (!isReached && !isDenied)
        {
            return null;
        }

        // APIs of ours are as many as were written.
        var hasRoom = record.Api.Length == 0 ? _hosts.Count - _listed < MaxHosts : record.Direction == Direction.Ingress || _listed < MaxListedHosts;
        if (!hasRoom || (isDenied && _denied >= MaxDeniedHosts))
        {
            Interlocked.Increment(ref _droppedHosts);
            return null;
        }

        host = new FoundHost { Direction = record.Direction, Host = name };
        _hosts.Add((record.Direction, name), host);
        return host;
    }

    private string LabelOf(in ExchangeRecord record)
    {
        if (record.Port == (record.Scheme == "https" ? 443 : 80))
        {
            return record.Host;
        }

        if (_labels.TryGetValue((record.Host, record.Port), out var label))
        {
            return label;
        }

        label = string.Create(CultureInfo.InvariantCulture, $"{(record.Host.Contains(':') ? $"[{record.Host}]" : record.Host)}:{record.Port}");
        if (_labels.Count < MaxHosts)
        {
            _labels.Add((record.Host, record.Port), label);
        }

        return label;
    }
}
