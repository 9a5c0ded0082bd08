// The static upstream of the load runs: 200 bytes for every request. Arguments: the port.
using System.Globalization;
using System.Net;

var port = int.Parse(args[0], CultureInfo.InvariantCulture);
var answer = new byte[200];
Array.Fill(answer, (byte)'x');

var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
{
    kestrel.AddServerHeader = false;
    kestrel.Listen(IPAddress.Loopback, port);
});
var app = builder.Build();
app.Run(context =>
{
    context.Response.ContentLength = answer.Length;
    return context.Response.Body.WriteAsync(answer, context.RequestAborted).AsTask();
});
await app.RunAsync();
