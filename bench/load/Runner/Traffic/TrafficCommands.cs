using System.Globalization;

namespace Tidegate.Load.Traffic;

/// <summary>
/// Upstream and generators run in processes of their own, pinned to a core. Each writes <c>ready</c>, and what it measured as one line; those that hold
/// connections do so until their input ends.
/// </summary>
internal static class TrafficCommands
{
    // The first requests fill the proxy's pools and the generator's caches.
    private const double WarmUpSeconds = 0.5;

    public static bool Knows(string verb) => verb is "upstream" or "generate" or "streams" or "idle";

    public static void Run(string[] args)
    {
        var port = Number(args[1]);
        switch (args[0])
        {
            case "upstream":
                using (var upstream = new LoadUpstream(port))
                {
                    Ready();
                    upstream.Run();
                }

                break;
            case "generate":
                // port connections seconds rate path key upload warm|cold; no key is "-".
                using (var generator = new Generator(port, Number(args[2]), Real(args[4]), new RequestShape(args[5], args[6] == "-" ? null : args[6], Number(args[7]))))
                {
                    generator.Run(args[8] == "cold" ? 0 : WarmUpSeconds, counts: false);
                    Ready();
                    Console.WriteLine(generator.Run(Real(args[3]), counts: true).ToLine());
                }

                break;
            case "streams":
                // port streams seconds
                using (var consumer = new StreamConsumer(port, Number(args[2])))
                {
                    consumer.Run(2);
                    Ready();
                    Console.WriteLine(consumer.Run(Real(args[3])).ToLine());
                    Console.In.ReadLine();
                }

                break;
            default:
                // port connections
                using (new IdleClients(port, Number(args[2])))
                {
                    Ready();
                    Console.In.ReadLine();
                }

                break;
        }
    }

    private static void Ready() => Console.WriteLine("ready");

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static double Real(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
