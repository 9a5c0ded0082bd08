// Bare YARP as a peer: its forwarder and nothing else. Arguments: the port, the upstream's base URL, "stock" or "inline", and for TLS a certificate and its key.
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Yarp.ReverseProxy.Forwarder;

var port = int.Parse(args[0], CultureInfo.InvariantCulture);
var upstream = args[1];

var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
{
    kestrel.AddServerHeader = false;
    kestrel.Listen(IPAddress.Loopback, port, listen =>
    {
        if (args.Length > 4)
        {
            listen.UseHttps(X509Certificate2.CreateFromPemFile(args[3], args[4]));
        }
    });
});

// With the environment's DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS and _THREAD_COUNT this keeps a request on one thread.
builder.WebHost.UseSockets(sockets => sockets.UnsafePreferInlineScheduling = args[2] == "inline");
builder.WebHost.UseKestrelHttpsConfiguration();
builder.Services.AddHttpForwarder();
var app = builder.Build();
var forwarder = app.Services.GetRequiredService<IHttpForwarder>();

// As YARP's own documentation sets up direct forwarding: nothing that changes the message. The upstream of the runs has a certificate of its own making.
using var client = new HttpMessageInvoker(new SocketsHttpHandler
{
    UseProxy = false,
    AllowAutoRedirect = false,
    AutomaticDecompression = DecompressionMethods.None,
    UseCookies = false,
    SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
});

// An error needs no handling here: the client gets YARP's 502, which the generator counts.
app.Run(async context => await forwarder.SendAsync(context, upstream, client, ForwarderRequestConfig.Empty, HttpTransformer.Default));
await app.RunAsync();
