#!/usr/bin/env bash
# Makes the packages of this repository restorable where the NuGet sources lack some of them. See README.md.
set -euo pipefail

feed=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$feed/../.." && pwd)
local=$feed/.local
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDDISABLENODEREUSE=1

say() { echo "feed: $*"; }
fail() { echo "feed: $*" >&2; exit 1; }
digest() { if command -v sha256sum >/dev/null; then cat "$@" | sha256sum; else cat "$@" | shasum -a 256; fi | cut -d' ' -f1; }

recipe=$(digest "$feed"/{prepare.sh,packages.json,fetch.mjs,unbundle.mjs,pack.mjs,onnxruntime.managed.csproj.in})
question=$recipe-$(digest "$root/Directory.Packages.props")

# `verdict` holds one line per question ever answered: other worktrees may share this folder and pin other versions.
verdict() { awk -v question="$question" '$1 == question { print $2 }' "$local/verdict" 2>/dev/null | tail -n 1; }
is_built() { [[ -f $local/feed.props && $(cat "$local/recipe" 2>/dev/null) == "$recipe" ]]; }
is_settled() { case $(verdict) in official) [[ ! -e $local/feed.props ]] ;; patchy) is_built ;; *) false ;; esac; }

is_settled && exit 0

mkdir -p "$local"
if command -v flock >/dev/null; then
  exec 9>"$local/lock"
  flock -n 9 || { say "another run is at work, waiting for it"; flock 9; }
  is_settled && exit 0
fi
rm -rf "$local"/work.*
work=$(mktemp -d "$local/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Nothing of the repository may reach the projects made here, nor its feed.props.
for name in Directory.Build.props Directory.Build.targets Directory.Packages.props; do echo '<Project />' >"$work/$name"; done

# Restores the whole official set at once: a package whose own dependencies are missing is as good as missing.
probe() {
  mkdir "$work/probe"
  cp "$root/Directory.Packages.props" "$work/probe/"
  {
    echo '<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><TargetFramework>net10.0</TargetFramework>'
    echo '<NuGetAudit>false</NuGetAudit><WarningsAsErrors>NU1603</WarningsAsErrors></PropertyGroup><ItemGroup>'
    echo '<FrameworkReference Include="Microsoft.AspNetCore.App" />'
    sed -n 's|.*<PackageVersion Include="\([^"]*\)".*|<PackageReference Include="\1" />|p' "$root/Directory.Packages.props"
    sed -n 's|.*<PackageVersion Include="Aspire.Hosting.AppHost" Version="\([^"]*\)".*|<PackageDownload Include="Aspire.AppHost.Sdk" Version="[\1]" />|p' \
      "$root/Directory.Packages.props"
    echo '</ItemGroup></Project>'
  } >"$work/probe/Probe.csproj"
  (cd "$work/probe" && dotnet restore Probe.csproj -v q >"$work/probe.log" 2>&1)
}

settle() {
  local answer=$1
  { grep -v "^$question " "$local/verdict" 2>/dev/null || true; echo "$question $answer"; } >"$work/verdict"
  mv "$work/verdict" "$local/verdict"
}

if [[ -z $(verdict) ]]; then
  say "asking whether the NuGet sources of this machine carry every official package (a trial restore)"
  if probe; then
    settle official
  elif grep -q 'error NU1301' "$work/probe.log"; then
    grep -m 3 'error NU1301' "$work/probe.log" >&2
    fail "a NuGet source did not answer, so nothing is known about its packages; run again when it does"
  elif grep -qE 'error NU1(10[123]|603)' "$work/probe.log"; then
    lacking=$(grep -oE "NU110[123]: [^.]*package [A-Za-z0-9.]+" "$work/probe.log" | sed 's/.*package //; s/\.$//' | sort -u | paste -sd ' ')
    say "they do not, this feed is patchy; lacking: ${lacking:-versions asked for}"
    settle patchy
  else
    cat "$work/probe.log" >&2
    fail "the trial restore failed for another reason than missing packages (above)"
  fi
fi

if [[ $(verdict) == official ]]; then
  say "the NuGet sources carry every official package: nothing to do"
  rm -rf "$local/feed.props" "$local/recipe" "$local/packages" "$local/nuget" "$local/aspire"
  exit 0
fi
is_built && exit 0

[[ $(uname -sm) == "Linux x86_64" ]] || fail "missing packages can be put together on x64 Linux only; use a complete NuGet source"
for tool in node npm tar; do
  command -v "$tool" >/dev/null || fail "$tool is needed to put missing packages together (Debian: apt install nodejs npm), or a complete NuGet source"
done

node "$feed/fetch.mjs" "$work"

say "unpacking the Aspire bundle"
env -u ASPIRE_HOME HOME="$work" XDG_CACHE_HOME="$work/cache" ASPIRE_HOME="$work/bundle" ASPIRE_CLI_TELEMETRY_OPTOUT=true \
  "$work/aspire/package/bin/aspire" setup --install-path "$work/bundle" --non-interactive --nologo >"$work/setup.log" 2>&1 </dev/null ||
  { cat "$work/setup.log" >&2; fail "the Aspire CLI could not unpack itself"; }
managed=$work/bundle/bundle/managed
node "$feed/unbundle.mjs" "$managed/aspire-managed" "$work/assemblies" \
  Google.Protobuf.dll Grpc.Core.Api.dll Grpc.Net.Common.dll Grpc.Net.Client.dll Grpc.Net.ClientFactory.dll \
  Grpc.AspNetCore.Server.dll Grpc.AspNetCore.Server.ClientFactory.dll OpenTelemetry.Extensions.Hosting.dll System.IO.Hashing.dll

say "compiling the managed half of ONNX Runtime"
cp "$feed/onnxruntime.managed.csproj.in" "$work/onnxruntime-managed/Managed.csproj"
dotnet build "$work/onnxruntime-managed/Managed.csproj" -c Release -o "$work/managed" -v q -p:UseSharedCompilation=false >"$work/managed.log" 2>&1 ||
  { cat "$work/managed.log" >&2; fail "the managed half of ONNX Runtime did not compile"; }

node "$feed/pack.mjs" "$work" "$work/packages"

cat >"$work/feed.props" <<'EOF'
<Project>
  <!-- Made by eng/feed/prepare.sh; see eng/feed/README.md. -->
  <PropertyGroup>
    <PatchyFeed>true</PatchyFeed>
    <RestoreAdditionalProjectSources>$(RestoreAdditionalProjectSources);$(MSBuildThisFileDirectory)packages</RestoreAdditionalProjectSources>
    <!-- A package folder of its own: repacked packages never reach the user's global one. -->
    <RestorePackagesPath>$(MSBuildThisFileDirectory)nuget</RestorePackagesPath>
    <AspireBundlePath>$(MSBuildThisFileDirectory)aspire</AspireBundlePath>
    <!-- NU1507: two sources without a mapping are what this file is for. -->
    <NoWarn>$(NoWarn);NU1507</NoWarn>
  </PropertyGroup>
</Project>
EOF

# Into place; `recipe` comes last and vouches for the rest, so an interrupted run is simply repeated.
# What has not changed stays untouched: a build or a dashboard may be using it.
rm -f "$local/recipe"
mkdir -p "$local/packages" "$local/aspire"
for old in "$local"/packages/*.nupkg; do
  name=$(basename "$old")
  cmp -s "$old" "$work/packages/$name" && continue
  rm -f "$old"
  id=$(sed -E 's/\.[0-9]+\.[0-9]+\.[0-9]+\.nupkg$//' <<<"$name" | tr '[:upper:]' '[:lower:]')
  rm -rf "$local/nuget/$id"
done
mv -n "$work"/packages/*.nupkg "$local/packages/"
if ! diff -rq "$managed" "$local/aspire/managed" >/dev/null 2>&1; then
  rm -rf "$local/aspire/managed"
  mv "$managed" "$local/aspire/managed"
fi
mv "$work/feed.props" "$local/feed.props"
echo "$recipe" >"$work/recipe"
mv "$work/recipe" "$local/recipe"
say "the missing packages are in eng/feed/.local; builds of this checkout use them"
