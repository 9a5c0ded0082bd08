using System.Net;
using System.Net.Sockets;
using Tidegate.Load.Peers;
using Tidegate.Load.Traffic;

namespace Tidegate.Load.Runs;

/// <summary>A proxy that runs in the lab.</summary>
internal sealed class RunningPeer(Peer peer, PeerSetup setup, PeerPlace place, PinnedProcess process) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public Peer Peer => peer;

    public PeerSetup Setup => setup;

    public int Port => place.Port;

    public string Folder => place.Folder;

    public int ProcessId => process.Id;

    public double CpuSeconds => ProcessTree.CpuSeconds(process.Id);

    public double ResidentMegabytes => ProcessTree.ResidentMegabytes(process.Id);

    /// <summary>That it is this process which listens, and that it forwards.</summary>
    /// <exception cref="InvalidOperationException">Not so: nothing that was measured would count.</exception>
    public void Verify()
    {
        if (process.HasEnded || !ProcessTree.Listens(process.Id, Port))
        {
            throw new InvalidOperationException($"{peer.Name} does not listen on its port: {process.LastErrors}");
        }

        using var handler = new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = static (_, _, _, _) => true } };
        using var client = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(10) };
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{(setup.Front == Front.Cleartext ? "http" : "https")}://127.0.0.1:{Port}/")
        {
            Version = setup.Front == Front.Http2 ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Headers = { Host = RequestShape.Host },
        };
        request.Headers.Add("X-Api-Key", TidegatePeer.ApiKey);
        using var response = client.SendAsync(request).GetAwaiter().GetResult();
        var length = response.Content.ReadAsByteArrayAsync().GetAwaiter().GetResult().Length;
        if (response.StatusCode != HttpStatusCode.OK || length is < 190 or > 210)
        {
            throw new InvalidOperationException($"{peer.Name} answers {(int)response.StatusCode} with {length} bytes instead of the upstream's 200: {process.LastErrors}");
        }
    }

    public void AwaitReady()
    {
        process.IgnoreOutput();
        var deadline = Clock.Now + (long)Patience.TotalSeconds * Clock.Second;
        while (!process.HasEnded && Clock.Now < deadline && !IsOpen(Port))
        {
            Thread.Sleep(5);
        }

        Verify();
    }

    public static void AwaitPort(int port)
    {
        for (var deadline = Clock.Now + (long)Patience.TotalSeconds * Clock.Second; Clock.Now < deadline && !IsOpen(port);)
        {
            Thread.Sleep(5);
        }
    }

    public void Dispose() => process.Dispose();

    private static bool IsOpen(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Connect(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            // Not yet.
            return false;
        }
    }
}
