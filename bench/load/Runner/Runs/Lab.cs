using System.Globalization;
using Tidegate.Load.Peers;

namespace Tidegate.Load.Runs;

/// <summary>Starts upstreams, proxies and generators, each pinned to its core, and ends them all.</summary>
internal sealed class Lab : IDisposable
{
    private const int FirstPort = 19400;

    private readonly List<IDisposable> _running = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("tidegate-load-").FullName;
    private readonly string _self = Path.Combine(AppContext.BaseDirectory, "load-runner");
    private readonly LoadCertificate _certificate;
    private int _nextPort = FirstPort;
    private bool _isOver;
    private int _upstream;
    private int _tlsUpstream;

    public Lab(LoadOptions options)
    {
        Options = options;
        _certificate = new LoadCertificate(_folder);
        Traffic = new Generators(options, _self, Keep);
    }

    public LoadOptions Options { get; }

    public Generators Traffic { get; }

    /// <summary>Starts a proxy in front of the upstream and waits until it answers.</summary>
    public RunningPeer Start(Peer peer, PeerSetup setup)
    {
        var place = new PeerPlace(_nextPort++, UpstreamPort(setup.UpstreamTls), Directory.CreateDirectory(Path.Combine(_folder, $"{_nextPort}")).FullName, _certificate);
        var running = Keep(() => new RunningPeer(peer, setup, place, new PinnedProcess(Options.ProxyCore, peer.Start(setup, place))));
        running.AwaitReady();
        return running;
    }

    /// <summary>The cleartext upstream itself.</summary>
    public int Upstream => UpstreamPort(isTls: false);

    public void Stop(RunningPeer peer)
    {
        lock (_running)
        {
            _running.Remove(peer);
        }

        peer.Dispose();
        Directory.Delete(peer.Folder, recursive: true);
    }

    /// <summary>Ends everything that was started and removes its files; from the run's own thread at its end, or from a signal's before.</summary>
    public void Dispose()
    {
        lock (_running)
        {
            if (_isOver)
            {
                return;
            }

            _isOver = true;
            _running.Reverse();
            foreach (var running in _running)
            {
                running.Dispose();
            }

            Directory.Delete(_folder, recursive: true);
        }
    }

    /// <summary>Starts something that ends with the lab; nothing starts any more once that is over.</summary>
    private T Keep<T>(Func<T> start)
        where T : IDisposable
    {
        lock (_running)
        {
            ObjectDisposedException.ThrowIf(_isOver, this);
            var started = start();
            _running.Add(started);
            return started;
        }
    }

    private int UpstreamPort(bool isTls)
    {
        if (!isTls)
        {
            if (_upstream == 0)
            {
                _upstream = _nextPort++;
                Keep(() => new PinnedProcess(Options.LoadCore, new PeerCommand(_self, "upstream", _upstream.ToString(CultureInfo.InvariantCulture)))).ReadLine();
            }

            return _upstream;
        }

        if (_tlsUpstream == 0)
        {
            _tlsUpstream = _nextPort++;
            var folder = Directory.CreateDirectory(Path.Combine(_folder, "tls-upstream")).FullName;
            var file = TlsUpstream.Configure(new PeerPlace(_tlsUpstream, 0, folder, _certificate));
            Keep(() => new PinnedProcess(Options.LoadCore, new PeerCommand("nginx", "-c", file, "-p", folder)));
            RunningPeer.AwaitPort(_tlsUpstream);
        }

        return _tlsUpstream;
    }
}
