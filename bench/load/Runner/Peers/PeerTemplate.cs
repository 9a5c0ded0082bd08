namespace Tidegate.Load.Peers;

/// <summary>The configuration files of peers, in bench/load/peers, with <c>@name@</c> for what differs from run to run.</summary>
internal static class PeerTemplate
{
    /// <summary>Writes a filled template into the place's folder; gives its path.</summary>
    public static string Fill(string template, PeerPlace place, params (string Name, string Value)[] values)
    {
        var text = File.ReadAllText(Repository.File("bench/load/peers/" + template));
        (string Name, string Value)[] everywhere =
        [
            ("port", $"{place.Port}"),
            ("upstream", $"{place.UpstreamPort}"),
            ("folder", place.Folder),
            ("certificate", place.Certificate.ChainFile),
            ("key", place.Certificate.KeyFile),
        ];
        foreach (var (name, value) in values.Concat(everywhere))
        {
            text = text.Replace($"@{name}@", value, StringComparison.Ordinal);
        }

        var file = Path.Combine(place.Folder, template);
        File.WriteAllText(file, text);
        return file;
    }
}
